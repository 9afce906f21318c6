package cache_test

import (
	"context"
	"testing"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// subscribe returns the messages of topic until the test ends.
func subscribe(t *testing.T, c cache.Cache, topic string) <-chan string {
	t.Helper()
	messages := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Subscribe(ctx, topic, func(message string) { messages <- message })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return messages
}

// wantMessage fails unless want is the next message.
func wantMessage(t *testing.T, messages <-chan string, want string) {
	t.Helper()
	select {
	case got := <-messages:
		if got != want {
			t.Fatalf("got message %q, want %q", got, want)
		}
	case <-time.After(testTimeout):
		t.Fatalf("no message, want %q", want)
	}
}

// pubSubPairs makes two caches that reach one another, for each implementation.
var pubSubPairs = map[string]func(t *testing.T) (a, b cache.Cache){
	"miniredis": func(t *testing.T) (cache.Cache, cache.Cache) {
		w := miniredisFixture(t, "redis://")
		return w.Cache, w.Cache
	},
	"cluster": func(t *testing.T) (cache.Cache, cache.Cache) {
		w := miniredisFixture(t, "redis+cluster://")
		return w.Cache, w.Cache
	},
	"redis": func(t *testing.T) (cache.Cache, cache.Cache) {
		url := services.Redis(t)
		return redisFixture(t, url).Cache, redisFixture(t, url).Cache
	},
	"fallback": func(t *testing.T) (cache.Cache, cache.Cache) {
		url := secret.URL(services.Redis(t))
		return newTestFallback(t, url, testTimeout), newTestFallback(t, url, testTimeout)
	},
}

func TestMessageReachesAllSubscribersOfItsTopic(t *testing.T) {
	for name, pair := range pubSubPairs {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			topic := id.New("topic")
			first, second, other := subscribe(t, a, topic), subscribe(t, b, topic), subscribe(t, b, topic+"2")
			for _, messages := range []<-chan string{first, second, other} {
				wantMessage(t, messages, "") // subscribed
			}
			for _, message := range []string{"7", "8"} {
				if err := a.Publish(t.Context(), topic, message); err != nil {
					t.Fatal(err)
				}
				wantMessage(t, first, message)
				wantMessage(t, second, message)
			}
			if err := a.Publish(t.Context(), topic+"2", "9"); err != nil {
				t.Fatal(err)
			}
			wantMessage(t, other, "9")
		})
	}
}

func TestMemoryDeliversNoMessages(t *testing.T) {
	m := newMemory(t)
	messages := subscribe(t, m, "access")
	if err := m.Publish(t.Context(), "access", "7"); err != nil {
		t.Fatal(err)
	}
	if len(messages) > 0 {
		t.Errorf("got message %q, want none", <-messages)
	}
}

func TestSubscriptionResumesWhenRedisIsBack(t *testing.T) {
	server := services.OwnRedis(t)
	f := newTestFallback(t, secret.URL(server.URL), testTimeout)
	messages := subscribe(t, f, "access")
	wantMessage(t, messages, "")
	server.Stop()
	if err := f.Publish(t.Context(), "access", "7"); err == nil {
		t.Error("Publish succeeded without Redis")
	}
	server.Start(t)
	wantMessage(t, messages, "") // messages may have been lost
	if err := f.Publish(t.Context(), "access", "8"); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, messages, "8")
}

func TestSubscriptionMayStartBeforeRedis(t *testing.T) {
	server := services.OwnRedis(t)
	server.Stop()
	messages := subscribe(t, newRedis(t, cache.RedisOptions{URL: secret.URL(server.URL), Timeout: testTimeout}), "access")
	server.Start(t)
	wantMessage(t, messages, "")
}

// TestSubscriptionKeepsAnIdleConnection pings so late that the answer comes in time on a busy machine.
func TestSubscriptionKeepsAnIdleConnection(t *testing.T) {
	t.Parallel()
	p := newProxy(t, services.Redis(t))
	messages := subscribe(t, newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: testTimeout, PingAfter: time.Second}), id.New("topic"))
	wantMessage(t, messages, "")
	quiet := p.roundTrips.Load()
	await(t, "pings", func() bool { return p.roundTrips.Load() > quiet+1 })
	if n := p.connections.Load(); n != 1 || len(messages) > 0 {
		t.Errorf("got %d connections, want 1: an idle connection must be kept", n)
	}
}

func TestSubscriptionLeavesDeadConnection(t *testing.T) {
	t.Parallel()
	p := newProxy(t, services.Redis(t))
	messages := subscribe(t, newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: testTimeout, PingAfter: 100 * time.Millisecond}), id.New("topic"))
	wantMessage(t, messages, "")
	p.answers.Lock()
	before := p.connections.Load()
	await(t, "another connection", func() bool { return p.connections.Load() > before })
	p.answers.Unlock()
	wantMessage(t, messages, "")
}
