package app_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func TestRedisUserWithoutPermissionsIsNamedWithTheRemedy(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+redis.Port)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("ACL SETUSER casbroker on >redis-pass ~cb:* &cb:*\r\n"))
	_, _ = conn.Read(make([]byte, 5))
	_ = conn.Close()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL("redis://casbroker:redis-pass@127.0.0.1:"+redis.Port))
	b := start(t, settings)
	const remedy = "ACL SETUSER <user> resetkeys ~cb:*"
	if log := b.log.String(); !strings.Contains(log, "ERROR") || !strings.Contains(log, "NOPERM") || !strings.Contains(log, "resetkeys ~cb:*") || strings.Contains(log, "redis-pass") {
		t.Errorf("got the log %s, want NOPERM and the remedy", log)
	}
	first := b.token(t, "asha")
	if again := b.token(t, "asha"); again.AccessToken != first.AccessToken {
		t.Error("want the cached token")
	}
	for range 2 { // before and after the memory is in use
		if ready := b.call(t, "", http.MethodGet, "/readyz", "").must(t, 200); !strings.Contains(ready.body, "NOPERM") || strings.Contains(ready.body, "redis-pass") {
			t.Errorf("readyz: got %s, want the cache as degraded with the remedy %s", ready.body, remedy)
		}
		b.token(t, "asha")
	}
	if health := b.health(t, "cache"); !strings.Contains(health, "NOPERM") || !strings.Contains(health, remedy) {
		t.Errorf("console: got %s", health)
	}
}
