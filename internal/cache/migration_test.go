package cache_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// TestSlotsOfAClusterMoveUnderLoad moves the slots of all keys between three masters, and counts
// every hit once meanwhile, as a user who may only do what config/README.md says.
func TestSlotsOfAClusterMoveUnderLoad(t *testing.T) {
	t.Parallel()
	server := services.OwnRedisMasters(t, documentedUser(t, "casbroker"))
	url := secret.URL("redis+cluster://casbroker:pass@" + server.URL[len("redis+cluster://"):])
	replicas := []*testFallback{newTestFallback(t, url, testTimeout), newTestFallback(t, url, testTimeout)}
	total, longest := atomic.Int64{}, atomic.Int64{}
	all := ratelimit.Hit{Rule: "token-all", Rate: rate(t, "1000000-D")}
	user := func(ctx context.Context, who string) {
		keep(t, replicas[0], keyOf(who, 60), "token of "+who, time.Hour)
		for n := int64(0); ctx.Err() == nil; n++ {
			// Each tenth hit is the first of a counter, which is where its slot is moving to.
			hits := []ratelimit.Hit{{Rule: fmt.Sprint("rule-", n/10), Who: who, Rate: rate(t, "10-D")}, all}
			left := 9 - n%10
			begun := time.Now()
			states, sealed, err := replicas[n%2].Take(t.Context(), hits, fetch(who))
			longest.Store(max(longest.Load(), int64(time.Since(begun))))
			if err != nil || states[0].Remaining != left || string(sealed) != "token of "+who {
				t.Errorf("hit %d of %s: got %v, %q, %v", n, who, states, sealed, err)
				return
			}
			total.Add(1)
			if _, _, err := replicas[n%2].Reserve(t.Context(), who, apikey.Pace{Interval: time.Microsecond, Burst: 1, MaxWait: time.Hour}); err != nil {
				t.Error(err)
			}
			<-time.After(time.Millisecond)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var users sync.WaitGroup
	for i := range 6 {
		users.Go(func() { user(ctx, fmt.Sprint("app:", i)) })
	}
	await(t, "hits", func() bool { return total.Load() > 50 })
	for _, move := range [][2]int{{0, 1}, {1, 2}, {2, 0}} {
		server.MoveSlots(t, move[0], move[1], func() {
			before := total.Load()
			await(t, "hits while slots move", func() bool { return total.Load() > before+100 })
		})
	}
	stop()
	users.Wait()
	if got := 1000000 - take(t, replicas[0], all).Remaining; got != total.Load()+1 {
		t.Errorf("got %d hits of all, want %d", got, total.Load()+1)
	}
	for i, r := range replicas {
		if r.log.count("\n") > 0 {
			t.Errorf("replica %d did without Redis: %s", i, r.log.lines.String())
		}
	}
	t.Logf("%d hits, the longest took %v", total.Load(), time.Duration(longest.Load()))
}
