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

func TestAFullMemoryForgetsItsOldestTokens(t *testing.T) {
	t.Parallel()
	m, err := cache.NewMemory(cache.MemoryOptions{TokenBytes: 1}) // which makes it 128 KiB
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

func TestAMemoryNeedsRoom(t *testing.T) {
	t.Parallel()
	for _, o := range []cache.MemoryOptions{{TokenBytes: -1}, {Counts: -1}} {
		if _, err := cache.NewMemory(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestCountsOfFloodedAddressesStayBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 1000
		m, err := cache.NewMemory(cache.MemoryOptions{Counts: bound})
		if err != nil {
			t.Fatal(err)
		}
		perMinute := rate(t, "5-M")
		for i := range 20 * bound {
			take(t, m, ratelimit.Hit{Rule: "a", Who: strconv.Itoa(i), Rate: perMinute})
			if i%bound == 0 {
				time.Sleep(time.Second) //nolint:forbidigo // a jump of the clock, well within the window
			}
		}
		kept := 0
		for i := range 20 * bound {
			if s := take(t, m, ratelimit.Hit{Rule: "a", Who: strconv.Itoa(i), Rate: perMinute}); s.Remaining < 4 {
				kept++
			}
		}
		if kept == 0 || kept > 2*bound {
			t.Errorf("%d of 20,000 counts were kept, want some, and not many more than %d", kept, bound)
		}
	})
}

// TestMemoryIsSmall: 50,000 users who each have a token and were counted.
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
		t.Errorf("50,000 users take %d bytes", grown)
	}
	runtime.KeepAlive(m)
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc) //nolint:gosec // far from 2^63
}
