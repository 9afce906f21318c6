package cache_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// reserve fails the test unless the next turn is given (or not) after about wait.
func reserve(t *testing.T, c apikey.Pacer, key string, p apikey.Pace, wait time.Duration, given bool) {
	t.Helper()
	got, ok, err := c.Reserve(t.Context(), key, p)
	if err != nil || ok != given || got > wait || got < wait-time.Minute {
		t.Errorf("got a wait of %v, given %v, %v; want %v, %v", got, ok, err, wait, given)
	}
}

func TestTurnsAreGivenInOrderAfterTheBurst(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		atOnce := apikey.Pace{Interval: time.Hour, Burst: 3}
		for range 3 {
			reserve(t, w, w.name, atOnce, 0, true)
		}
		for range 2 { // a turn that is not given is not used up
			reserve(t, w, w.name, atOnce, time.Hour, false)
		}
		patient := apikey.Pace{Interval: time.Hour, Burst: 3, MaxWait: 2 * time.Hour}
		reserve(t, w, w.name, patient, time.Hour, true)
		reserve(t, w, w.name, patient, 2*time.Hour, true)
		reserve(t, w, w.name, patient, 3*time.Hour, false)
		reserve(t, w, w.name+"-other", atOnce, 0, true)
	})
}

func TestSmallerBurstLeavesTurnsToTheOthers(t *testing.T) {
	eachCache(t, func(t *testing.T, w fixture) {
		poll, parse := apikey.Pace{Interval: time.Hour, Burst: 2}, apikey.Pace{Interval: time.Hour, Burst: 4}
		reserve(t, w, w.name, poll, 0, true)
		reserve(t, w, w.name, poll, 0, true)
		reserve(t, w, w.name, poll, time.Hour, false)
		reserve(t, w, w.name, parse, 0, true)
		reserve(t, w, w.name, parse, 0, true)
		reserve(t, w, w.name, parse, time.Hour, false)
		reserve(t, w, w.name, poll, 3*time.Hour, false)
	})
}

func TestTurnsComeBackWithTime(t *testing.T) {
	w := redisFixture(t, services.Redis(t)) // whose own clock is used
	p := apikey.Pace{Interval: 20 * time.Millisecond, Burst: 1, MaxWait: time.Second}
	began := time.Now()
	for range 6 {
		wait, ok, err := w.Reserve(t.Context(), w.name, p)
		if err != nil || !ok {
			t.Fatalf("got %v, %v, %v", wait, ok, err)
		}
		<-time.After(wait)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("6 turns took %v, want 100ms at least", took)
	}
}

func TestReplicasShareTurns(t *testing.T) {
	url := services.Redis(t)
	one, two := redisFixture(t, url), redisFixture(t, url)
	var given atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			c := one.Cache
			if i%2 == 0 {
				c = two.Cache
			}
			_, ok, err := c.Reserve(t.Context(), one.name, apikey.Pace{Interval: time.Hour, Burst: 10, MaxWait: 5 * time.Hour})
			if err != nil {
				t.Error(err)
			}
			if ok {
				given.Add(1)
			}
		})
	}
	all.Wait()
	if given.Load() != 15 {
		t.Errorf("got %d turns, want 15", given.Load())
	}
}

func TestMemoryGivesTurnsWhileRedisIsDown(t *testing.T) {
	server := services.OwnRedis(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	p := apikey.Pace{Interval: time.Hour, Burst: 3}
	reserve(t, w, "key", p, 0, true)
	server.Stop()
	reserve(t, w, "key", p, 0, true)
	w.wantChange(t, true)
	reserve(t, w, "key", p, 0, true) // the first turn, which Redis gave, counts
	reserve(t, w, "key", p, time.Hour, false)
}
