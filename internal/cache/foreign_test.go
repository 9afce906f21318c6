package cache_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"casbroker/internal/apikey"
	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// foreign are values that another program may write under one of our keys.
var foreign = map[string]func(ctx context.Context, c *redis.Client, key string) error{
	"list": func(ctx context.Context, c *redis.Client, key string) error { return c.RPush(ctx, key, "x").Err() },
	"hash": func(ctx context.Context, c *redis.Client, key string) error { return c.HSet(ctx, key, "a", "b").Err() },
	"set":  func(ctx context.Context, c *redis.Client, key string) error { return c.SAdd(ctx, key, "x").Err() },
	"text": func(ctx context.Context, c *redis.Client, key string) error { return c.Set(ctx, key, "x", 0).Err() },
	"greatest": func(ctx context.Context, c *redis.Client, key string) error {
		return c.Set(ctx, key, "9223372036854775807", 0).Err()
	},
}

func TestValueOfAWrongTypeCostsItsKeyOnly(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"Redis": services.OwnRedis(t).URL, "miniredis": "redis://" + miniredis.RunT(t).Addr()} {
		raw := rawRedis(t, url)
		for kind, write := range foreign {
			t.Run(name+"/"+kind, func(t *testing.T) {
				if err := raw.FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				w := newTestFallback(t, secret.URL(url), testTimeout)
				who := id.New("test")
				take := func(left int64, sealed string) {
					t.Helper()
					states, got, err := w.Take(t.Context(), tokenHits(t, who), fetch(who))
					if err != nil || states[0].Remaining != left || states[0].Reached || string(got) != sealed {
						t.Errorf("got %+v, %q, %v; want %d left and %q", states, got, err, left, sealed)
					}
				}
				turn := func() {
					t.Helper()
					if wait, ok, err := w.Reserve(t.Context(), "default", apikey.Pace{Interval: time.Second, Burst: 60}); err != nil || !ok || wait != 0 {
						t.Errorf("got a wait of %v, given %v, %v", wait, ok, err)
					}
				}
				keep(t, w, keyOf(who, 60), "sealed", time.Hour)
				take(29, "sealed")
				turn()
				found := ""
				for _, key := range keys(t, raw) {
					if (kind == "text" || kind == "greatest") && strings.Contains(key, ":token:") { // a text is what a token is
						found = "sealed"
						continue
					}
					if err := raw.Del(t.Context(), key).Err(); err != nil {
						t.Fatal(err)
					}
					if err := write(t.Context(), raw, key); err != nil {
						t.Fatal(err)
					}
				}
				take(29, found) // counting begins again
				take(28, found)
				wantToken(t, w, keyOf(who, 60), "sealed") // which is in memory, too
				turn()
				turn()
				if w.Degraded() || w.inMemory.Load() != 0 {
					t.Error("a value of a wrong type stopped the use of Redis")
				}
				for _, key := range keys(t, raw) {
					if kind := raw.Type(t.Context(), key).Val(); kind != "string" {
						t.Errorf("%s is still a %s", key, kind)
					}
					if raw.TTL(t.Context(), key).Val() <= 0 {
						t.Errorf("%s never expires", key)
					}
				}
				if _, _, err := w.Take(t.Context(), []ratelimit.Hit{{Rule: "other", Who: who, Rate: rate(t, "9-M")}}, ratelimit.TokenKey{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestValueOfAWrongTypeIsLogged(t *testing.T) {
	t.Parallel()
	url := "redis://" + miniredis.RunT(t).Addr()
	var out log
	r := newRedis(t, cache.RedisOptions{URL: secret.URL(url), Timeout: testTimeout, Log: slog.New(slog.NewTextHandler(&out, nil))})
	take := func() {
		t.Helper()
		if _, _, err := r.Take(t.Context(), tokenHits(t, "demo:asha"), fetch("demo:asha")); err != nil {
			t.Fatal(err)
		}
	}
	take()
	raw := rawRedis(t, url)
	for _, key := range keys(t, raw) {
		raw.Del(t.Context(), key)
		raw.RPush(t.Context(), key, "x")
	}
	take()
	take()
	if n := out.count("a value of another type"); n != 3 {
		t.Errorf("got %d lines, want one for each of 3 keys", n)
	}
}
