package cache_test

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

func TestLimitCountsDownUntilReached(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		hit := ratelimit.Hit{Rule: "token-user", Who: w.name, Rate: rate(t, "3-M")}
		for _, remaining := range []int64{2, 1, 0} {
			if s := take(t, w, hit); s.Reached || s.Remaining != remaining || s.Limit != 3 {
				t.Fatalf("got %+v, want %d remaining of 3", s, remaining)
			}
		}
		for range 3 {
			if s := take(t, w, hit); !s.Reached || s.Remaining != 0 {
				t.Fatalf("got %+v, want reached and 0 remaining", s)
			}
		}
	})
}

func TestNewWindowStartsAtReset(t *testing.T) {
	for _, formatted := range []string{"2-S", "2-M", "2-H", "2-D"} {
		t.Run(formatted, func(t *testing.T) {
			eachClock(t, func(t *testing.T, w fixture) {
				hit := ratelimit.Hit{Rule: "token-user", Who: w.name, Rate: rate(t, formatted)}
				take(t, w, hit)
				take(t, w, hit)
				s := take(t, w, hit)
				now := w.now()
				left := time.Unix(s.Reset, 0).Sub(now)
				if !s.Reached || left <= 0 || left > hit.Rate.Period+time.Second {
					t.Fatalf("got %+v, which resets in %v", s, left)
				}
				w.advance(left)
				if s := take(t, w, hit); s.Reached || s.Remaining != 1 || s.Reset <= now.Add(left).Unix() {
					t.Fatalf("after %v got %+v, want a new window", left, s)
				}
			})
		})
	}
}

func TestRulesAndOwnersHaveSeparateCounters(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		perMinute := rate(t, "1-M")
		for _, hit := range []ratelimit.Hit{
			{Rule: "token-user" + w.name, Who: "demo:asha", Rate: perMinute},
			{Rule: "token-user" + w.name, Who: "demo:ashb", Rate: perMinute},
			{Rule: "save-user" + w.name, Who: "demo:asha", Rate: perMinute},
			{Rule: "token-all" + w.name, Rate: perMinute},
			{Rule: "save-all" + w.name, Rate: perMinute},
			{Rule: "x" + w.name, Who: strings.Repeat("long", 1000), Rate: perMinute},
			{Rule: "x" + w.name, Who: strings.Repeat("long", 1000) + "er", Rate: perMinute},
			{Rule: "x" + w.name, Who: "{}:|\x00\r\n", Rate: perMinute},
		} {
			if s := take(t, w, hit); s.Reached {
				t.Errorf("%+v is reached at its first hit", hit)
			}
		}
	})
}

func TestTakeCountsEveryHitAndFetchesTheToken(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		keep(t, w, keyOf(w.name, 60), "sealed", time.Hour)
		hits := []ratelimit.Hit{
			{Rule: "a", Who: w.name, Rate: rate(t, "1-M")},
			{Rule: "b", Who: w.name + "@", Rate: rate(t, "5-M")},
			{Rule: "all" + w.name, Rate: rate(t, "7-H")},
		}
		for n := int64(1); n <= 3; n++ {
			states, value, err := w.Take(t.Context(), hits, fetch(w.name))
			if err != nil || string(value) != "sealed" || len(states) != 3 {
				t.Fatalf("got %v, %q, %v", states, value, err)
			}
			if states[0].Reached != (n > 1) || states[1].Remaining != 5-n || states[2].Remaining != 7-n {
				t.Fatalf("hit %d: got %+v", n, states)
			}
		}
	})
}

func TestRepeatedHitInOneTakeCountsTwice(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		hit := ratelimit.Hit{Rule: "a", Who: w.name, Rate: rate(t, "5-M")}
		states, _, err := w.Take(t.Context(), []ratelimit.Hit{hit, hit}, ratelimit.TokenKey{})
		if err != nil || states[0].Remaining != 4 || states[1].Remaining != 3 {
			t.Fatalf("got %+v, %v", states, err)
		}
	})
}

func TestEmptyTakeReturnsNothing(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		if states, value, err := w.Take(t.Context(), nil, ratelimit.TokenKey{}); len(states) != 0 || value != nil || err != nil {
			t.Fatalf("got %v, %q, %v", states, value, err)
		}
		if _, value, err := w.Take(t.Context(), nil, fetch(w.name)); value != nil || err != nil {
			t.Fatalf("got %q, %v for a key that is not there", value, err)
		}
	})
}

func TestTokenIsCachedUntilItExpires(t *testing.T) {
	eachClock(t, func(t *testing.T, w fixture) {
		key := keyOf(w.name, 60)
		wantToken(t, w, key, "")
		keep(t, w, key, "first", time.Minute)
		w.advance(59 * time.Second)
		wantToken(t, w, key, "first")
		keep(t, w, key, "second", time.Hour)
		w.advance(59 * time.Minute)
		wantToken(t, w, key, "second")
		w.advance(time.Minute)
		wantToken(t, w, key, "")
	})
}

func TestExpiredTokenIsNotCached(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		keep(t, w, keyOf(w.name, 60), "expired", 0)
		keep(t, w, keyOf(w.name, 60), "expired", -time.Minute)
		wantToken(t, w, keyOf(w.name, 60), "")
	})
}

func TestKeysHaveSeparateTokens(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		keys := []token.CacheKey{
			keyOf(w.name, 60), keyOf(w.name, 6), keyOf(w.name+"|60", 60), keyOf(w.name, 0), keyOf("|"+w.name, 60),
			keyOf(w.name+strings.Repeat("é", 4000), 60), keyOf(w.name+"}", 60), keyOf(w.name+"\r\n", 60),
			{Subject: w.name, Minutes: 60, Gateway: true},
		}
		for _, key := range keys {
			keep(t, w, key, "of "+key.String(), time.Hour)
		}
		for _, key := range keys {
			wantToken(t, w, key, "of "+key.String())
		}
	})
}

func TestTokenMayHoldAnyBytes(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		big := string(bytes.Repeat(every, 32)) // 8 KiB: twice the largest token
		keep(t, w, keyOf(w.name, 1), string(every), time.Hour)
		keep(t, w, keyOf(w.name, 2), big, time.Hour)
		wantToken(t, w, keyOf(w.name, 1), string(every))
		wantToken(t, w, keyOf(w.name, 2), big)
	})
}

func TestCallerMayReuseItsBuffer(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		sealed := []byte("sealed")
		if err := w.KeepToken(t.Context(), keyOf(w.name, 60), sealed, time.Hour); err != nil {
			t.Fatal(err)
		}
		clear(sealed)
		wantToken(t, w, keyOf(w.name, 60), "sealed")
	})
}

func TestConcurrentCallsPassOnlyUpToTheLimit(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		const callers, limit = 200, 50
		hits := []ratelimit.Hit{
			{Rule: "token-user", Who: w.name, Rate: rate(t, "50-D")},
			{Rule: "token-all" + w.name, Rate: rate(t, "1000-D")},
		}
		var passed atomic.Int64
		var remainders sync.Map // of the shared limit: each is returned once
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				states, _, err := w.Take(t.Context(), hits, fetch(w.name))
				if err != nil {
					t.Error(err)
					return
				}
				if !states[0].Reached {
					passed.Add(1)
				}
				if _, twice := remainders.LoadOrStore(states[1].Remaining, true); twice {
					t.Errorf("%d remaining was returned twice", states[1].Remaining)
				}
			})
		}
		all.Wait()
		if n := passed.Load(); n != limit {
			t.Fatalf("got %d passed, want %d", n, limit)
		}
	})
}

func TestCloseSucceeds(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
