package cache_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"casbroker/internal/cache"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
)

// BenchmarkTake measures the hot path: three limits and the cached token of one of
// 50,000 users, with 64 goroutines on 2 cores.
func BenchmarkTake(b *testing.B) {
	b.Run("memory", func(b *testing.B) { benchmarkTake(b, newMemory(b)) })
	b.Run("redis", func(b *testing.B) {
		benchmarkTake(b, newRedis(b, cache.RedisOptions{URL: secret.URL(services.OwnRedis(b).URL), Timeout: time.Second}))
	})
}

func benchmarkTake(b *testing.B, d cache.Cache) {
	b.Helper()
	users := make([]string, 50_000)
	for i := range users {
		users[i] = "demo:user-" + strconv.Itoa(i)
		if err := d.KeepToken(b.Context(), keyOf(users[i], 60), make([]byte, 150), time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	user30, address600, all6000 := rate(b, "30-M"), rate(b, "600-M"), rate(b, "6000-M")
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var hits [3]ratelimit.Hit
		for pb.Next() {
			user := users[rand.IntN(len(users))] //nolint:gosec // no secret depends on it
			hits = [3]ratelimit.Hit{
				{Rule: "token-user", Who: user, Rate: user30},
				{Rule: "token-address", Who: "192.0.2.1", Rate: address600},
				{Rule: "token-all", Rate: all6000},
			}
			states, value, err := d.Take(b.Context(), hits[:], fetch(user))
			if err != nil || len(states) != 3 || len(value) != 150 {
				b.Errorf("got %v, %d bytes, %v", states, len(value), err)
				return
			}
		}
	})
}
