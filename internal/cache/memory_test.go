package cache_test

import (
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/ratelimit"
)

func TestFullMemoryDropsTheOldestTokens(t *testing.T) {
	t.Parallel()
	m, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: 1}) // raised to 128 KiB
	if err != nil {
		t.Fatal(err)
	}
	const many = 20_000
	for i := range many {
		keep(t, m, keyOf(strconv.Itoa(i), 60), strconv.Itoa(i), time.Hour)
	}
	wantToken(t, m, keyOf("0", 60), "")
	wantToken(t, m, keyOf(strconv.Itoa(many-1), 60), strconv.Itoa(many-1))
}

func TestNegativeBoundsAreRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []cache.MemoryOptions{{TokenBytes: -1}, {Counters: -1}} {
		if _, err := cache.NewMemory(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestCountersStayBoundedUnderManyAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 1000
		m, err := cache.NewMemory(cache.MemoryOptions{Counters: bound})
		if err != nil {
			t.Fatal(err)
		}
		perMinute := rate(t, "5-M")
		for i := range 20 * bound {
			take(t, m, ratelimit.Hit{Rule: "a", Who: strconv.Itoa(i), Rate: perMinute})
			if i%bound == 0 {
				time.Sleep(time.Second) //nolint:forbidigo // synctest advances the clock; well within the window
			}
		}
		kept := 0
		for i := range 20 * bound {
			if s := take(t, m, ratelimit.Hit{Rule: "a", Who: strconv.Itoa(i), Rate: perMinute}); s.Remaining < 4 {
				kept++
			}
		}
		if kept == 0 || kept > 2*bound {
			t.Errorf("got %d of 20,000 counters kept, want 1 to 2 × %d", kept, bound)
		}
	})
}

// TestMemoryIsSmall measures 50,000 users with a token and a counter each.
func TestMemoryIsSmall(t *testing.T) {
	m := newMemory(t)
	before := heap()
	perMinute, all := rate(t, "30-M"), ratelimit.Hit{Rule: "token-all", Rate: rate(t, "6000-M")}
	for i := range 50_000 {
		user := "demo:user-" + strconv.Itoa(i)
		keep(t, m, keyOf(user, 60), string(make([]byte, 130)), time.Hour)
		hits := []ratelimit.Hit{{Rule: "token-user", Who: user, Rate: perMinute}, all}
		if _, _, err := m.Take(t.Context(), hits, fetch(user)); err != nil {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	t.Logf("50,000 users take %.1f MB", float64(grown)/1e6)
	if grown > 25e6 {
		t.Errorf("got %d bytes for 50,000 users, want 25e6 or less", grown)
	}
	runtime.KeepAlive(m)
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc) //nolint:gosec // far from 2^63
}
