package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// TestReplicaWithAWrongClockIsNotReady compares the clock with those of a real PostgreSQL, a
// real Redis and the vendor.
func TestReplicaWithAWrongClockIsNotReady(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		service, database, cache string
	}{
		{"database", storetest.Postgres(t), "memory"},
		{"redis", storetest.SQLite(t), services.Redis(t)},
		{"vendor", storetest.SQLite(t), "memory"},
	} {
		for ahead, want := range map[time.Duration]struct {
			status      int
			start, text string
		}{
			2 * time.Minute:   {503, `{"status":"not ready","not_ready":[{"name":"clock"`, " ahead of that of the " + c.service},
			-2 * time.Minute:  {503, `{"status":"not ready","not_ready":[{"name":"clock"`, " behind that of the " + c.service},
			-15 * time.Second: {200, `{"status":"ready","degraded":[{"name":"clock"`, " behind that of the " + c.service},
			time.Second:       {200, `{"status":"ready"}`, ""},
		} {
			t.Run(fmt.Sprint(c.service, " ", ahead), func(t *testing.T) {
				t.Parallel()
				settings, _ := settingsFor(t, secret.URL(c.database), secret.URL(c.cache))
				settings.Token.Pool = 1 // asks the vendor, whose answers have a date
				b := startAt(t, settings, func() time.Time { return time.Now().Add(ahead) })
				within(t, 20*time.Second, "the clock is compared", func() bool {
					ready := b.call(t, "", http.MethodGet, "/readyz", "")
					return ready.status == want.status && strings.HasPrefix(ready.body, want.start) && strings.Contains(ready.body, want.text)
				})
			})
		}
	}
}
