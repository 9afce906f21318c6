package cache_test

import (
	"strconv"
	"testing"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

func TestReplacedMasterOfAClusterIsFoundWithinSeconds(t *testing.T) {
	t.Parallel()
	server := services.OwnRedisCluster(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	subjects := make([]string, 20) // in the slots of both masters
	for i := range subjects {
		subjects[i] = "demo:" + strconv.Itoa(i)
		keep(t, w, keyOf(subjects[i], 60), "sealed", time.Hour)
	}
	server.StopMaster()
	for _, who := range subjects {
		wantToken(t, w, keyOf(who, 60), "sealed")
	}
	w.wantChange(t, true)
	<-time.After(100 * time.Millisecond) // some probes: one of the two masters does not answer
	if !w.Degraded() {
		t.Error("a cluster without one of its masters is in use")
	}
	server.ReplaceMaster(t)
	w.wantChange(t, false)
	other := newRedis(t, cache.RedisOptions{URL: secret.URL(server.URL), Timeout: testTimeout})
	for _, who := range subjects {
		wantToken(t, other, keyOf(who, 60), "sealed") // replicated, or copied
	}
	if w.inMemory.Load() == 0 || w.Degraded() {
		t.Errorf("got %d calls in memory, and degraded %v", w.inMemory.Load(), w.Degraded())
	}
}
