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

// listen returns what is heard of topic until the test ends.
func listen(t *testing.T, c cache.Cache, topic string) <-chan string {
	t.Helper()
	heard := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Subscribe(ctx, topic, func(message string) { heard <- message })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return heard
}

// wantHeard fails unless want is the next thing that is heard.
func wantHeard(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	select {
	case got := <-heard:
		if got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("waited in vain for %q", want)
	}
}

// wires has a pair of caches for each way in which replicas reach one another.
var wires = map[string]func(t *testing.T) (a, b cache.Cache){
	"miniredis": func(t *testing.T) (cache.Cache, cache.Cache) { w := miniWorld(t, "redis://"); return w.Cache, w.Cache },
	"cluster": func(t *testing.T) (cache.Cache, cache.Cache) {
		w := miniWorld(t, "redis+cluster://")
		return w.Cache, w.Cache
	},
	"redis": func(t *testing.T) (cache.Cache, cache.Cache) {
		url := services.Redis(t)
		return redisWorld(t, url).Cache, redisWorld(t, url).Cache
	},
	"fallback": func(t *testing.T) (cache.Cache, cache.Cache) {
		url := secret.URL(services.Redis(t))
		return newFallback(t, url, patience), newFallback(t, url, patience)
	},
}

func TestAMessageReachesAllWhoListenToItsTopic(t *testing.T) {
	for name, pair := range wires {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			topic := id.New("topic")
			first, second, other := listen(t, a, topic), listen(t, b, topic), listen(t, b, topic+"2")
			for _, heard := range []<-chan string{first, second, other} {
				wantHeard(t, heard, "") // it listens
			}
			for _, message := range []string{"7", "8"} {
				if err := a.Publish(t.Context(), topic, message); err != nil {
					t.Fatal(err)
				}
				wantHeard(t, first, message)
				wantHeard(t, second, message)
			}
			if err := a.Publish(t.Context(), topic+"2", "9"); err != nil {
				t.Fatal(err)
			}
			wantHeard(t, other, "9")
		})
	}
}

func TestMemoryHasNobodyToTell(t *testing.T) {
	m := newMemory(t)
	heard := listen(t, m, "access")
	if err := m.Publish(t.Context(), "access", "7"); err != nil {
		t.Fatal(err)
	}
	if len(heard) > 0 {
		t.Errorf("heard %q", <-heard)
	}
}

func TestAListenerHearsAgainWhenRedisIsBack(t *testing.T) {
	server := services.OwnRedis(t)
	f := newFallback(t, secret.URL(server.URL), patience)
	heard := listen(t, f, "access")
	wantHeard(t, heard, "")
	server.Stop()
	if err := f.Publish(t.Context(), "access", "7"); err == nil {
		t.Error("a message was sent without Redis")
	}
	server.Start(t)
	wantHeard(t, heard, "") // something may have been missed
	if err := f.Publish(t.Context(), "access", "8"); err != nil {
		t.Fatal(err)
	}
	wantHeard(t, heard, "8")
}

func TestAListenerBeginsBeforeThereIsARedis(t *testing.T) {
	server := services.OwnRedis(t)
	server.Stop()
	heard := listen(t, newRedis(t, cache.RedisOptions{URL: secret.URL(server.URL), Timeout: patience}), "access")
	server.Start(t)
	wantHeard(t, heard, "")
}

func TestAListenerLeavesALineThatHasGoneDead(t *testing.T) {
	p := newProxy(t, services.Redis(t))
	heard := listen(t, newRedis(t, cache.RedisOptions{URL: p.url(), Timeout: patience, Silence: 20 * time.Millisecond}), id.New("topic"))
	wantHeard(t, heard, "")
	quiet := p.trips.Load()
	await(t, "signs of life", func() bool { return p.trips.Load() > quiet+3 })
	if n := p.lines.Load(); n != 1 || len(heard) > 0 {
		t.Errorf("a line that is only quiet was left: %d lines", n)
	}
	p.gate.Lock()
	await(t, "another line", func() bool { return p.lines.Load() > 1 })
	p.gate.Unlock()
	wantHeard(t, heard, "")
}
