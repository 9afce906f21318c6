package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// FallbackOptions configure a Fallback. Every field is optional.
type FallbackOptions struct {
	Log        *slog.Logger
	OnChange   func(degraded bool) // called when memory takes over, and when Redis is back
	OnMemory   func()              // called for each call that memory answers
	ProbeEvery time.Duration       // interval between probes of a failed Redis; 0 means 1 s
}

// Fallback uses Redis while it answers, and memory otherwise. Its Take returns an
// error only if the caller's context has ended. The first call that fails costs its
// callers one timeout; after that Redis is only probed in the background, until it
// answers again.
//
// While memory counts, each replica counts alone and from zero. Memory also has the
// tokens that this replica caches or reads, within its bound, so that their owners get the
// same ones if Redis fails or loses them; while Redis answers, only Token returns those.
// Tokens cached while Redis was down are copied to it when it is back, before it is used
// again.
type Fallback struct {
	redis  *Redis
	memory *Memory
	FallbackOptions

	degraded atomic.Bool
	mu       sync.Mutex
	pending  map[token.CacheKey]struct{} // keys of tokens to copy to Redis
	cause    error                       // why Redis is not used, while degraded
	remedy   string                      // the one that was logged last since then; "" for none

	stop    context.CancelFunc
	stopped context.Context // ends with Close; used by the prober
	probers sync.WaitGroup
}

// WithFallback returns a Fallback that uses r and m. Its Close closes both.
func WithFallback(r *Redis, m *Memory, o FallbackOptions) *Fallback {
	if o.ProbeEvery <= 0 {
		o.ProbeEvery = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fallback{redis: r, memory: m, FallbackOptions: o, pending: map[token.CacheKey]struct{}{}}
	f.stopped, f.stop = context.WithCancel(context.Background())
	return f
}

// Degraded reports whether memory is used instead of Redis now.
func (f *Fallback) Degraded() bool { return f.degraded.Load() }

// Take counts hits and returns the token cached under fetch.
func (f *Fallback) Take(ctx context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	if f.degraded.Load() {
		f.countMemory()
		return f.memory.Take(ctx, hits, fetch)
	}
	states, sealed, err := f.redis.Take(ctx, hits, fetch)
	if sealed != nil {
		f.memory.copyToken(token.CacheKey(fetch), sealed)
	}
	if err == nil || ctx.Err() != nil {
		return states, sealed, err
	}
	f.degrade(err)
	f.countMemory()
	return f.memory.Take(ctx, hits, fetch)
}

// Token returns the token cached under key, nil if there is none. If Redis has none, it is
// this replica's own copy: Redis may have lost it, or it was deleted there on purpose.
func (f *Fallback) Token(ctx context.Context, key token.CacheKey) ([]byte, error) {
	_, sealed, err := f.Take(ctx, nil, ratelimit.TokenKey(key))
	if err != nil || sealed != nil {
		return sealed, err
	}
	return f.memory.Token(ctx, key)
}

// KeepToken caches sealed under key for ttl.
func (f *Fallback) KeepToken(ctx context.Context, key token.CacheKey, sealed []byte, ttl time.Duration) error {
	if err := f.memory.KeepToken(ctx, key, sealed, ttl); err != nil {
		return err
	}
	if !f.addPending(key) {
		err := f.redis.KeepToken(ctx, key, sealed, ttl)
		if err == nil || ctx.Err() != nil {
			return err
		}
		f.degrade(err)
		f.addPending(key)
	}
	f.countMemory()
	return nil
}

// Close stops the prober and closes Redis.
func (f *Fallback) Close() error {
	f.mu.Lock()
	f.stop()
	f.mu.Unlock()
	f.probers.Wait()
	return f.redis.Close() // memory has nothing to close
}

func (f *Fallback) countMemory() {
	if f.OnMemory != nil {
		f.OnMemory()
	}
}

// PoolStats returns the state of the connections to Redis.
func (f *Fallback) PoolStats() *redis.PoolStats { return f.redis.client.PoolStats() }
