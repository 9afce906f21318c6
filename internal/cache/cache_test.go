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

// fixture is a cache with a clock that the test advances, and a name that is unique
// among the tests that share its Redis.
type fixture struct {
	cache.Cache
	name    string
	now     func() time.Time
	advance func(time.Duration)
}

// eachCache runs test on every implementation of Cache.
func eachCache(t *testing.T, test func(*testing.T, fixture)) {
	t.Helper()
	eachClock(t, test)
	t.Run("fallback", func(t *testing.T) {
		w := redisFixture(t, services.Redis(t))
		w.Cache, w.advance = cache.WithFallback(w.Cache.(*cache.Redis), newMemory(t), cache.FallbackOptions{}), nil
		test(t, w)
	})
}

// eachClock runs test on every Cache whose clock can be advanced: all but Fallback,
// whose two parts have clocks of their own.
func eachClock(t *testing.T, test func(*testing.T, fixture)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, fixture{Cache: newMemory(t), name: id.New("test"), now: time.Now, advance: time.Sleep}) //nolint:forbidigo // synctest advances the clock
		})
	})
	t.Run("miniredis", func(t *testing.T) { test(t, miniredisFixture(t, "redis://")) })
	t.Run("cluster", func(t *testing.T) { test(t, miniredisFixture(t, "redis+cluster://")) })
	t.Run("redis", func(t *testing.T) { test(t, redisFixture(t, services.Redis(t))) })
}

// clock is a clock that the test advances.
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

func miniredisFixture(t *testing.T, scheme string) fixture {
	t.Helper()
	mini := miniredis.RunT(t)
	c := &clock{at: time.Now()}
	return fixture{
		Cache: newRedis(t, cache.RedisOptions{URL: secret.URL(scheme + mini.Addr()), Timeout: testTimeout, Now: c.now}),
		name:  id.New("test"), now: c.now,
		advance: func(d time.Duration) { c.add(d); mini.FastForward(d) },
	}
}

// redisFixture advances the clock of a real Redis by shortening the expiry of its keys.
func redisFixture(t *testing.T, url string) fixture {
	t.Helper()
	raw := rawRedis(t, url)
	c := &clock{at: time.Now()}
	return fixture{
		Cache: newRedis(t, cache.RedisOptions{URL: secret.URL(url), Timeout: testTimeout, Now: c.now}),
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

// testTimeout is the timeout of tests that are not about timeouts.
const testTimeout = 10 * time.Second

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

// take counts one hit and returns its state.
func take(t testing.TB, c ratelimit.Counter, h ratelimit.Hit) limiter.Context {
	t.Helper()
	states, _, err := c.Take(t.Context(), []ratelimit.Hit{h}, ratelimit.TokenKey{})
	if err != nil || len(states) != 1 {
		t.Fatalf("got %v, %v, want one state", states, err)
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

// wantToken fails unless want is cached under key; "" means no token.
func wantToken(t testing.TB, c cache.Cache, key token.CacheKey, want string) {
	t.Helper()
	got, err := c.Token(t.Context(), key)
	if err != nil || string(got) != want || (want == "") != (got == nil) {
		t.Fatalf("under %.40v: got %.40q, %v, want %.40q", key, got, err, want)
	}
}

// await polls ok until it returns true, for up to testTimeout.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// log collects log lines and may be written concurrently.
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
