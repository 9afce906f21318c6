package cache_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// testFallback is a Fallback whose callbacks and log the test can read.
type testFallback struct {
	*cache.Fallback
	changes  chan bool
	inMemory atomic.Int64
	log      log
}

func newTestFallback(t *testing.T, url secret.URL, timeout time.Duration) *testFallback {
	t.Helper()
	w := &testFallback{changes: make(chan bool, 10)}
	r := newRedis(t, cache.RedisOptions{URL: url, Timeout: timeout})
	w.Fallback = cache.WithFallback(r, newMemory(t), cache.FallbackOptions{
		Log:        slog.New(slog.NewTextHandler(&w.log, nil)),
		OnChange:   func(degraded bool) { w.changes <- degraded },
		OnMemory:   func() { w.inMemory.Add(1) },
		ProbeEvery: 5 * time.Millisecond,
	})
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// wantChange fails unless the next change is to degraded.
func (w *testFallback) wantChange(t *testing.T, degraded bool) {
	t.Helper()
	select {
	case got := <-w.changes:
		if got != degraded || w.Degraded() != degraded {
			t.Fatalf("got degraded=%v, and Degraded() = %v, want %v", got, w.Degraded(), degraded)
		}
	case <-time.After(testTimeout):
		t.Fatalf("no change to degraded=%v", degraded)
	}
}

// startLoad keeps calling Take until the function that it returns is called.
func (w *testFallback) startLoad(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			who := id.New("test")
			for ctx.Err() == nil {
				states, _, err := w.Take(t.Context(), tokenHits(t, who), fetch(who))
				if err != nil || len(states) != 3 {
					t.Errorf("got %v, %v", states, err)
					return
				}
				<-time.After(time.Millisecond)
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

func TestMemoryAnswersWhileRedisIsDown(t *testing.T) {
	server := services.OwnRedis(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	stop := w.startLoad(t)
	await(t, "counts in Redis", func() bool { return len(keys(t, rawRedis(t, server.URL))) > 0 })
	server.Stop()
	w.wantChange(t, true)
	before := w.inMemory.Load()
	await(t, "calls in memory", func() bool { return w.inMemory.Load() > before+100 })
	server.Start(t)
	w.wantChange(t, false)
	raw := rawRedis(t, server.URL)
	await(t, "counts in the new Redis", func() bool { return len(keys(t, raw)) > 3 })
	stop()
	if w.log.count("\n") != 2 || w.log.count("Redis failed") != 1 || w.log.count("answers again") != 1 {
		t.Errorf("logged %d lines, want one for each change:\n%s", w.log.count("\n"), w.log.lines.String())
	}
}

func TestTokensCachedWhileRedisIsDownAreCopiedToIt(t *testing.T) {
	server := services.OwnRedis(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	server.Stop()
	keep(t, w, keyOf("demo:asha", 60), "of the call that failed", time.Hour)
	w.wantChange(t, true)
	keep(t, w, keyOf("demo:ravi", 60), "of a later call", time.Hour)
	keep(t, w, keyOf("demo:mina", 60), "expired", time.Nanosecond)
	wantToken(t, w, keyOf("demo:asha", 60), "of the call that failed")
	wantToken(t, w, keyOf("demo:ravi", 60), "of a later call")
	server.Start(t)
	w.wantChange(t, false)
	other := newRedis(t, cache.RedisOptions{URL: secret.URL(server.URL), Timeout: testTimeout})
	wantToken(t, other, keyOf("demo:asha", 60), "of the call that failed")
	wantToken(t, other, keyOf("demo:ravi", 60), "of a later call")
	wantToken(t, other, keyOf("demo:mina", 60), "")
	for _, key := range keys(t, rawRedis(t, server.URL)) {
		if left := rawRedis(t, server.URL).TTL(t.Context(), key).Val(); left <= 0 || left > time.Hour {
			t.Errorf("%s expires in %v", key, left)
		}
	}
}

func TestTokenIsStillCachedWhenRedisLosesItOrFails(t *testing.T) {
	server := services.OwnRedis(t)
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	keep(t, w, keyOf("demo:asha", 60), "sealed", time.Hour)
	if err := rawRedis(t, server.URL).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	wantToken(t, w, keyOf("demo:asha", 60), "sealed")
	if w.Degraded() {
		t.Error("a token that is not in Redis counted as a failure")
	}
	server.Stop()
	wantToken(t, w, keyOf("demo:asha", 60), "sealed")
	w.wantChange(t, true)
}

func TestTokenThatAReplicaReadIsThereWhenRedisFails(t *testing.T) {
	server := services.OwnRedis(t)
	minted, reads := newTestFallback(t, secret.URL(server.URL), testTimeout), newTestFallback(t, secret.URL(server.URL), testTimeout)
	key := keyOf("demo:asha", 60)
	for _, value := range []string{"older", "sealed", "sealed"} {
		keep(t, minted, key, value, time.Hour)
		if _, got, err := reads.Take(t.Context(), nil, fetch("demo:asha")); err != nil || string(got) != value {
			t.Fatalf("got %q, %v; want %q", got, err, value)
		}
	}
	server.Stop()
	for range 2 { // the call that fails, and one in memory
		if _, got, err := reads.Take(t.Context(), nil, fetch("demo:asha")); err != nil || string(got) != "sealed" {
			t.Errorf("without Redis: got %q, %v; want the token", got, err)
		}
	}
	reads.wantChange(t, true)
}

func TestHangingRedisCostsOneTimeout(t *testing.T) {
	w := newTestFallback(t, hangingServer(t), 50*time.Millisecond)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { take(t, w, tokenHits(t, "demo:asha")[0]) })
	}
	all.Wait()
	w.wantChange(t, true)
	for range 20_000 { // with the timeout for each, they would take longer than a test may
		take(t, w, tokenHits(t, "demo:asha")[0])
	}
	if w.inMemory.Load() != 20_100 {
		t.Errorf("got %d calls in memory, want 20,100", w.inMemory.Load())
	}
}

func TestRedisThatRefusesWritesIsNotUsed(t *testing.T) {
	server := services.OwnRedis(t)
	raw := rawRedis(t, server.URL)
	full := func(bytes string) {
		if err := raw.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	full("1")
	w := newTestFallback(t, secret.URL(server.URL), testTimeout)
	take(t, w, tokenHits(t, "demo:asha")[0])
	w.wantChange(t, true)
	refused := func() int { return strings.Count(raw.Info(t.Context(), "commandstats").Val(), "cmdstat_incrby") }
	await(t, "a second probe", func() bool { return refused() > 0 })
	if !w.Degraded() {
		t.Fatal("Redis is in use")
	}
	full("0")
	w.wantChange(t, false)
	if w.log.count("\n") != 2 {
		t.Errorf("logged %d lines, want 2:\n%s", w.log.count("\n"), w.log.lines.String())
	}
}

func TestCanceledCallerDoesNotDegrade(t *testing.T) {
	w := newTestFallback(t, hangingServer(t), 500*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.Take(ctx, tokenHits(t, "demo:asha"), fetch("")); err == nil {
		t.Error("Take succeeded")
	}
	if err := w.KeepToken(ctx, keyOf("demo:asha", 60), []byte("sealed"), time.Hour); err == nil {
		t.Error("KeepToken succeeded")
	}
	if w.Degraded() {
		t.Error("memory took over")
	}
}

func TestCloseStopsTheProbes(t *testing.T) {
	w := newTestFallback(t, hangingServer(t), 20*time.Millisecond)
	take(t, w, tokenHits(t, "demo:asha")[0])
	w.wantChange(t, true)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	take(t, w, tokenHits(t, "demo:asha")[0]) // memory still answers requests that end later
}
