package cache_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// tokenHits returns the hits of one request for a token.
func tokenHits(t testing.TB, who string) []ratelimit.Hit {
	t.Helper()
	return []ratelimit.Hit{
		{Rule: "token-user", Who: who, Rate: rate(t, "30-M")},
		{Rule: "token-address", Who: "192.0.2.7", Rate: rate(t, "600-M")},
		{Rule: "token-all", Rate: rate(t, "6000-M")},
	}
}

func TestTakeIsOneRoundTrip(t *testing.T) {
	p := newProxy(t, services.Redis(t))
	r := newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: testTimeout})
	who := id.New("test")
	keep(t, r, keyOf(who, 60), "sealed", time.Hour)
	if _, _, err := r.Take(t.Context(), tokenHits(t, who), fetch(who)); err != nil {
		t.Fatal(err)
	}
	const takes = 20
	before := p.roundTrips.Load()
	for range takes {
		states, value, err := r.Take(t.Context(), tokenHits(t, who), fetch(who))
		if err != nil || len(states) != 3 || string(value) != "sealed" {
			t.Fatalf("got %v, %q, %v", states, value, err)
		}
	}
	if trips := p.roundTrips.Load() - before; trips != takes {
		t.Fatalf("got %d round trips, want %d", trips, takes)
	}
}

func TestConcurrentCallsShareRoundTrips(t *testing.T) {
	p := newProxy(t, services.Redis(t))
	r := newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: testTimeout})
	before := p.roundTrips.Load()
	p.answers.Lock() // both workers wait, and the other calls are queued
	var all sync.WaitGroup
	var begun atomic.Int64
	for range 200 {
		all.Go(func() {
			begun.Add(1)
			if _, _, err := r.Take(t.Context(), tokenHits(t, id.New("test")), ratelimit.TokenKey{}); err != nil {
				t.Error(err)
			}
		})
	}
	<-p.requests
	<-p.requests
	await(t, "200 calls", func() bool { return begun.Load() == 200 })
	p.answers.Unlock()
	all.Wait()
	if trips := p.roundTrips.Load() - before; trips > 150 {
		t.Fatalf("200 calls: got %d round trips, want 150 or less", trips)
	}
}

func TestKeysHoldNoSubjectsOrAddresses(t *testing.T) {
	w := miniredis.RunT(t)
	r := newRedis(t, cache.RedisOptions{URL: secret.URL("redis://" + w.Addr()), Timeout: testTimeout})
	keep(t, r, keyOf("demo:asha", 60), "sealed", time.Hour)
	if _, _, err := r.Take(t.Context(), tokenHits(t, "demo:asha"), fetch("demo:asha")); err != nil {
		t.Fatal(err)
	}
	names := w.Keys()
	if len(names) != 4 {
		t.Fatalf("got keys %q, want 4", names)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "cb:") || strings.Contains(name, "asha") || strings.Contains(name, "192.0.2") {
			t.Errorf("key %q", name)
		}
		if w.TTL(name) <= 0 {
			t.Errorf("key %q never expires", name)
		}
	}
	tagOf := func(part string) string {
		i := slices.IndexFunc(names, func(name string) bool { return strings.Contains(name, part) })
		_, tag, _ := strings.Cut(names[i], "{")
		tag, _, _ = strings.Cut(tag, "}")
		return tag
	}
	if tag := tagOf(":token:"); tag == "" || tag != tagOf(":token-user:") || tag == tagOf(":token-address:") {
		t.Errorf("the token and the limit of a user are in different slots: %q", names)
	}
}

func TestCanceledCallerDoesNotAffectOthers(t *testing.T) {
	p := newProxy(t, services.Redis(t))
	r := newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: testTimeout})
	who := id.New("test")
	keep(t, r, keyOf(who, 60), "sealed", time.Hour)
	for len(p.requests) > 0 {
		<-p.requests
	}
	p.answers.Lock()
	canceled, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, _, err := r.Take(canceled, tokenHits(t, who), fetch(who))
		failed <- err
	}()
	<-p.requests
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() {
			if _, value, err := r.Take(t.Context(), tokenHits(t, who), fetch(who)); err != nil || string(value) != "sealed" {
				t.Errorf("got %q, %v", value, err)
			}
		})
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the canceled caller got %v, want context.Canceled", err)
	}
	p.answers.Unlock()
	others.Wait()
}

// hangingServer returns the URL of a server that accepts connections and never answers.
func hangingServer(t *testing.T) secret.URL {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return secret.URL("redis://" + l.Addr().String())
}

func TestCallsToHangingServerTimeOut(t *testing.T) {
	url := hangingServer(t)
	patient := newRedis(t, cache.RedisOptions{URL: url, Timeout: time.Hour})
	answered := make(chan error, 1)
	go func() { answered <- patient.Ping(context.Background()) }()
	r := newRedis(t, cache.RedisOptions{URL: url, Timeout: 100 * time.Millisecond})
	for name, call := range map[string]func() error{
		"Take": func() error {
			_, _, err := r.Take(t.Context(), tokenHits(t, "demo:asha"), ratelimit.TokenKey{})
			return err
		},
		"keep": func() error { return r.KeepToken(t.Context(), keyOf("demo:asha", 60), []byte("x"), time.Hour) },
		"Ping": func() error { return r.Ping(t.Context()) },
	} {
		if err := call(); err == nil {
			t.Errorf("%s succeeded", name)
		}
	}
	select {
	case err := <-answered:
		t.Errorf("a call that may take an hour got %v, want it to wait", err)
	default:
	}
}

func TestRedisMayStartLater(t *testing.T) {
	mini := miniredis.RunT(t)
	url := secret.URL("redis://" + mini.Addr())
	mini.Close()
	r := newRedis(t, cache.RedisOptions{URL: url})
	if err := r.Ping(t.Context()); err == nil {
		t.Fatal("Ping succeeded")
	}
	if _, _, err := r.Take(t.Context(), tokenHits(t, "demo:asha"), ratelimit.TokenKey{}); err == nil {
		t.Fatal("Take succeeded")
	}
	if err := mini.Restart(); err != nil {
		t.Fatal(err)
	}
	await(t, "Redis", func() bool { return r.Ping(t.Context()) == nil })
	take(t, r, tokenHits(t, "demo:asha")[0])
}

func TestClosedRedisFailsImmediately(t *testing.T) {
	r := newRedis(t, cache.RedisOptions{URL: secret.URL(services.Redis(t)), Timeout: testTimeout})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Take(t.Context(), tokenHits(t, "demo:asha"), ratelimit.TokenKey{}); err == nil {
		t.Fatal("Take succeeded")
	}
}

func TestSentinelNamesTheMaster(t *testing.T) {
	master := miniredis.RunT(t)
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	sentinel, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sentinel.Close)
	err = sentinel.Register("SENTINEL", func(c *server.Peer, _ string, args []string) {
		if strings.EqualFold(args[0], "get-master-addr-by-name") && args[1] == "casbroker" {
			c.WriteStrings([]string{host, port})
			return
		}
		c.WriteLen(0)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := newRedis(t, cache.RedisOptions{
		URL: secret.URL("redis+sentinel://" + sentinel.Addr().String() + "/casbroker"), Timeout: testTimeout,
	})
	keep(t, r, keyOf("demo:asha", 60), "sealed", time.Hour)
	wantToken(t, r, keyOf("demo:asha", 60), "sealed")
	if len(master.Keys()) != 1 {
		t.Fatal("the token is not on the master that the sentinel named")
	}
}

// TestReplicaWithAWrongClockCountsWithTheOthers counts the hits of one user with clocks that are
// minutes apart.
func TestReplicaWithAWrongClockCountsWithTheOthers(t *testing.T) {
	t.Parallel()
	url := secret.URL(services.Redis(t))
	h := ratelimit.Hit{Rule: "token-user", Who: id.New("wrong-clock"), Rate: rate(t, "10-H")}
	for i, ahead := range []time.Duration{0, 2 * time.Hour, -2 * time.Hour} {
		now := func() time.Time { return time.Now().Add(ahead) }
		c := newRedis(t, cache.RedisOptions{URL: url, Now: now})
		if theirs, err := c.Time(t.Context()); err != nil || time.Since(theirs).Abs() > time.Minute {
			t.Fatalf("got %s, %v, want the clock of Redis", theirs, err)
		}
		states, _, err := c.Take(t.Context(), []ratelimit.Hit{h}, ratelimit.TokenKey{})
		if err != nil || states[0].Remaining != int64(9-i) {
			t.Errorf("%s ahead: got %+v, %v, want %d remaining", ahead, states, err, 9-i)
		}
		if left := time.Unix(states[0].Reset, 0).Sub(now()); left < 0 || left > time.Hour+time.Second {
			t.Errorf("%s ahead: the window ends in %s by that clock, want an hour at most", ahead, left)
		}
	}
}
