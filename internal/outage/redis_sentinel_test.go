package outage

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// TestSentinelReplacesTheMasterUnderLoad kills the master of Redis; its sentinels promote the
// replica. Afterwards a revocation arrives at the other replica of the broker by message, since
// that reads the database only each minute.
func TestSentinelReplacesTheMasterUnderLoad(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedisSentinel(t)
	d := deployWith(t, storetest.Postgres(t), redis.Master, 2, "CASBROKER_CACHE_URL="+redis.URL,
		"CASBROKER_ACCESS_POLL=1m", "CASBROKER_ACCESS_MAX_STALENESS=5m", fmt.Sprintf("CASBROKER_RATELIMIT_TOKEN_USER=%d-D", userLimit))
	longest := d.underTokenLoad(t)
	redis.Master.Kill()
	killed := time.Now()
	for _, r := range d.replicas {
		eventually(t, "the replica notices", func() bool { return strings.Contains(r.Output.String(), "Redis failed") })
		eventually(t, "the new master is used", func() bool { return strings.Contains(r.Output.String(), "Redis answers again") })
	}
	report(t, "the new master is used after %v", time.Since(killed))
	if role := redis.Replica.Ask(t, "ROLE"); !strings.HasPrefix(role, "master") {
		t.Errorf("the replica is still %s", role)
	}
	if n := d.tokens(t, "limited-by-both", 0, 1); n != userLimit {
		t.Errorf("got %d tokens from both replicas, want %d", n, userLimit)
	}
	revoked := d.wantToken(t, 1, "revoked-user")
	d.replicas[0].Must(brokertest.Token(t, "revoked-user"), http.MethodPost, "/v1/token/revoke", nil, http.StatusOK, nil)
	d.wantAnotherToken(t, 1, "revoked-user", revoked)
	report(t, "the longest answer took %v", longest())
}
