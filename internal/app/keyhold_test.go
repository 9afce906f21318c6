package app_test

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// listeners returns how many connections are subscribed to a channel of the Redis on port.
func listeners(t *testing.T, port, channel string) int {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PUBSUB NUMSUB " + channel + "\r\n")); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if number, ok := strings.CutPrefix(lines.Text(), ":"); ok {
			n, _ := strconv.Atoi(number)
			return n
		}
	}
	t.Fatal("Redis did not answer")
	return 0
}

func TestRateLimitOfTheVendorHoldsForAllReplicas(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(redis.URL))
	first := start(t, settings)
	settings.Store.URL = secret.URL(storetest.SQLite(t))
	second := start(t, settings)
	within(t, 10*time.Second, "both replicas listen", func() bool { return listeners(t, redis.Port, "cb:key-hold") == 2 })
	vendor.AddFault(sandbox.Fault{Path: "/v1/token", Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 30})
	first.call(t, "rohan", http.MethodPost, "/v1/token", "").must(t, 503)
	within(t, 10*time.Second, "the other replica knows", func() bool {
		return strings.Contains(second.log.String(), "accepts no more requests of an API key")
	})
	calls := vendor.Calls("/v1/token")
	for _, b := range []*broker{first, second} {
		for _, who := range []string{"mina", "rohan"} {
			a := b.call(t, who, http.MethodPost, "/v1/token", "").must(t, 503)
			if seconds, _ := strconv.Atoi(a.header.Get("Retry-After")); seconds < 20 || seconds > 30 || !strings.Contains(a.body, "upstream_rate_limited") {
				t.Errorf("got Retry-After %q, %s", a.header.Get("Retry-After"), a.body)
			}
		}
	}
	if more := vendor.Calls("/v1/token") - calls; more != 0 {
		t.Errorf("the vendor got %d more calls, want none", more)
	}
}
