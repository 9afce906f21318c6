package cache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/token"
)

// world is a cache with a clock that the test moves, and a name that no other test
// uses in the same Redis.
type world struct {
	cache.Cache
	name    string
	now     func() time.Time
	advance func(time.Duration)
}

// eachCache runs a test on everything that is a Cache.
func eachCache(t *testing.T, test func(*testing.T, world)) {
	t.Helper()
	eachClock(t, test)
	t.Run("fallback", func(t *testing.T) {
		w := redisWorld(t, services.Redis(t))
		w.Cache, w.advance = cache.WithFallback(w.Cache.(*cache.Redis), newMemory(t), cache.FallbackOptions{}), nil
		test(t, w)
	})
}

// eachClock runs a test on every Cache whose clock can be moved: all but the
// fallback, which has those of both its halves.
func eachClock(t *testing.T, test func(*testing.T, world)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, world{Cache: newMemory(t), name: id.New("test"), now: time.Now, advance: time.Sleep}) //nolint:forbidigo // synctest makes it a jump of the clock
		})
	})
	t.Run("miniredis", func(t *testing.T) { test(t, miniWorld(t, "redis://")) })
	t.Run("cluster", func(t *testing.T) { test(t, miniWorld(t, "redis+cluster://")) })
	t.Run("redis", func(t *testing.T) { test(t, redisWorld(t, services.Redis(t))) })
}

// clock is set by the test and read by the cache.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func miniWorld(t *testing.T, scheme string) world {
	t.Helper()
	mini := miniredis.RunT(t)
	c := &clock{at: time.Now()}
	return world{
		Cache: newRedis(t, cache.RedisOptions{URL: secret.URL(scheme + mini.Addr()), Timeout: patience, Now: c.now}),
		name:  id.New("test"), now: c.now,
		advance: func(d time.Duration) { c.add(d); mini.FastForward(d) },
	}
}

// redisWorld moves a real Redis on by taking time from what its keys have left.
func redisWorld(t *testing.T, url string) world {
	t.Helper()
	raw := rawRedis(t, url)
	c := &clock{at: time.Now()}
	return world{
		Cache: newRedis(t, cache.RedisOptions{URL: secret.URL(url), Timeout: patience, Now: c.now}),
		name:  id.New("test"), now: c.now,
		advance: func(d time.Duration) {
			c.add(d)
			for _, key := range keys(t, raw) {
				left := raw.PTTL(t.Context(), key).Val()
				if err := raw.PExpire(t.Context(), key, left-d).Err(); err != nil {
					t.Error(err)
				}
			}
		},
	}
}

// patience is a timeout for tests that are not about timeouts.
const patience = 10 * time.Second

func rawRedis(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(o)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

func keys(t testing.TB, raw *redis.Client) []string {
	t.Helper()
	all, err := raw.Keys(t.Context(), "cb:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newMemory(t testing.TB) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newRedis(t testing.TB, o cache.RedisOptions) *cache.Redis {
	t.Helper()
	r, err := cache.NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func rate(t testing.TB, formatted string) limiter.Rate {
	t.Helper()
	r, err := limiter.NewRateFromFormatted(formatted)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// take counts one hit and returns what became of it.
func take(t testing.TB, c ratelimit.Counter, h ratelimit.Hit) limiter.Context {
	t.Helper()
	states, _, err := c.Take(t.Context(), []ratelimit.Hit{h}, ratelimit.TokenKey{})
	if err != nil || len(states) != 1 {
		t.Fatalf("Take gave %v, %v", states, err)
	}
	return states[0]
}

func keyOf(subject string, minutes int) token.CacheKey {
	return token.CacheKey{Subject: subject, Minutes: minutes}
}

func fetch(subject string) ratelimit.TokenKey { return ratelimit.TokenKey(keyOf(subject, 60)) }

func keep(t testing.TB, c cache.Cache, key token.CacheKey, value string, life time.Duration) {
	t.Helper()
	if err := c.KeepToken(t.Context(), key, []byte(value), life); err != nil {
		t.Fatal(err)
	}
}

// wantToken fails unless want is kept under key; "" means nothing is.
func wantToken(t testing.TB, c cache.Cache, key token.CacheKey, want string) {
	t.Helper()
	got, err := c.Token(t.Context(), key)
	if err != nil || string(got) != want || (want == "") != (got == nil) {
		t.Fatalf("under %.40v: got %.40q, %v, want %.40q", key, got, err, want)
	}
}

// await asks until it is so, which the test waits for no longer than patience.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// log collects lines.
type log struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

func (l *log) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.lines.String(), part)
}
