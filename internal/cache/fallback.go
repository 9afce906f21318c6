package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// FallbackOptions say whom a Fallback tells. All fields may be left out.
type FallbackOptions struct {
	Log      *slog.Logger
	OnChange func(degraded bool) // is told when memory takes over, and when Redis is back
	OnMemory func()              // is told of each call that memory had to answer
	Every    time.Duration       // between two looks at whether Redis is back; 0 means 1 s
}

// Fallback is Redis for as long as it answers, and memory otherwise: its Take fails
// only for a caller who has gone. The first call that fails costs its caller one
// timeout; from then on Redis is left alone, but for a look at it now and then in
// the background, until it answers again.
//
// While memory counts, each replica counts by itself and from nothing. Memory also
// has the tokens that this replica keeps, so that their owners get the same ones
// when Redis goes away or forgets; those kept in the meantime are brought to Redis
// when it comes back, before it is asked again.
type Fallback struct {
	redis  *Redis
	memory *Memory
	FallbackOptions

	degraded atomic.Bool
	mu       sync.Mutex
	owed     map[token.CacheKey]struct{} // the keys of tokens that Redis does not have yet

	stop     context.CancelFunc
	stopped  context.Context // of the watcher: ends with Close, not with a call
	watchers sync.WaitGroup
}

// WithFallback returns a Fallback of both, which it closes when it is closed.
func WithFallback(r *Redis, m *Memory, o FallbackOptions) *Fallback {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fallback{redis: r, memory: m, FallbackOptions: o, owed: map[token.CacheKey]struct{}{}}
	f.stopped, f.stop = context.WithCancel(context.Background())
	return f
}

// Degraded reports whether memory stands in for Redis now.
func (f *Fallback) Degraded() bool { return f.degraded.Load() }

// Take counts hits and returns the token kept under fetch.
func (f *Fallback) Take(ctx context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	if f.degraded.Load() {
		f.noteMemory()
		return f.memory.Take(ctx, hits, fetch)
	}
	states, value, err := f.redis.Take(ctx, hits, fetch)
	switch {
	case err == nil && value == nil && fetch != (ratelimit.TokenKey{}):
		value, err = f.memory.Token(ctx, token.CacheKey(fetch))
		return states, value, err
	case err == nil || ctx.Err() != nil:
		return states, value, err
	}
	f.degrade(err)
	f.noteMemory()
	return f.memory.Take(ctx, hits, fetch)
}

// Token returns what is kept under key, nil if nothing is.
func (f *Fallback) Token(ctx context.Context, key token.CacheKey) ([]byte, error) {
	_, value, err := f.Take(ctx, nil, ratelimit.TokenKey(key))
	return value, err
}

// KeepToken keeps sealed under key for life.
func (f *Fallback) KeepToken(ctx context.Context, key token.CacheKey, sealed []byte, life time.Duration) error {
	if err := f.memory.KeepToken(ctx, key, sealed, life); err != nil {
		return err
	}
	if !f.owe(key) {
		err := f.redis.KeepToken(ctx, key, sealed, life)
		if err == nil || ctx.Err() != nil {
			return err
		}
		f.degrade(err)
		f.owe(key)
	}
	f.noteMemory()
	return nil
}

// Close closes both.
func (f *Fallback) Close() error {
	f.mu.Lock()
	f.stop()
	f.mu.Unlock()
	f.watchers.Wait()
	return f.redis.Close() // memory holds nothing to close
}

func (f *Fallback) noteMemory() {
	if f.OnMemory != nil {
		f.OnMemory()
	}
}
