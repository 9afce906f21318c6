package outage

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/testkit/brokertest"
)

// TestTokensAreHandedOutWhileRedisIsKilled kills Redis under load and starts it again, empty.
func TestTokensAreHandedOutWhileRedisIsKilled(t *testing.T) {
	t.Parallel()
	d := deploy(t, 1)
	var given atomic.Int64
	users := make([]string, 8)
	for i := range users {
		users[i] = brokertest.Token(t, fmt.Sprint("user-", i))
	}
	l := under(t, len(users), func(_ context.Context, caller, _ int) {
		r, err := d.replicas[0].Call(t.Context(), users[caller], http.MethodPost, "/v1/token", nil)
		switch {
		case err != nil:
			t.Error(err)
		case r.Status == http.StatusOK:
			given.Add(1)
		case r.Status != http.StatusTooManyRequests:
			t.Errorf("got %d: %s", r.Status, r.Body)
		}
	})
	d.redis.Stop()
	<-time.After(either(time.Second, 20*time.Second))
	before := given.Load()
	eventually(t, "tokens are handed out without Redis", func() bool { return given.Load() > before+100 })
	d.redis.Start(t)
	eventually(t, "tokens are handed out again", func() bool { return given.Load() > before+1000 })
	l.end()
}
