package cache

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"

	"casbroker/internal/bytecache"
	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// MemoryOptions bound a Memory.
type MemoryOptions struct {
	TokenBytes int // for tokens, about 170 each; 0 means 16 MiB, the minimum is 128 KiB
	Counters   int // about 170 bytes each; 0 means 200,000
}

// Memory stores tokens and counters in the process. When it is full it drops the
// oldest tokens, and arbitrary counters. A window starts with its first hit.
type Memory struct {
	tokens   *bytecache.Cache
	counters counters
	turns    turns
	seeds    [2]maphash.Seed
}

// digest is the hash of a key of any length. The seeds are random and never leave the
// process, so a caller cannot make two keys collide.
type digest = bytecache.Key

// NewMemory returns an empty Memory. It returns an error if a bound is negative.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.TokenBytes < 0 || o.Counters < 0 {
		return nil, errors.New("the bounds of a cache in memory cannot be negative")
	}
	return &Memory{
		tokens:   bytecache.New(cmp.Or(o.TokenBytes, 16<<20)),
		counters: newCounters(cmp.Or(o.Counters, 200_000)),
		seeds:    [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}, nil
}

// Take counts hits and returns the token cached under fetch.
func (m *Memory) Take(_ context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		n, ends := m.counters.add(digestOf(m.seeds, [2]string{h.Rule, h.Who}), h.Rate.Period)
		states[i] = state(h.Rate, n, ends.Unix()+1) // the first second after the window
	}
	if fetch == (ratelimit.TokenKey{}) {
		return states, nil, nil
	}
	sealed, _ := m.token(token.CacheKey(fetch))
	return states, sealed, nil
}

// Token returns the token cached under key, nil if there is none.
func (m *Memory) Token(_ context.Context, key token.CacheKey) ([]byte, error) {
	sealed, _ := m.token(key)
	return sealed, nil
}

// expirySize is the size of a token's expiry, in unix nanoseconds, which is stored
// before the token.
const expirySize = 8

// KeepToken caches a copy of sealed under key for ttl.
func (m *Memory) KeepToken(_ context.Context, key token.CacheKey, sealed []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return nil
	}
	value := make([]byte, expirySize, expirySize+len(sealed))
	binary.LittleEndian.PutUint64(value, uint64(time.Now().Add(ttl).UnixNano()))
	m.tokens.Put(digestOf(m.seeds, key), append(value, sealed...))
	return nil
}

// copyToken caches sealed under key for as long as a token can live, unless it is there.
func (m *Memory) copyToken(key token.CacheKey, sealed []byte) {
	if !m.tokens.HasSuffix(digestOf(m.seeds, key), sealed) {
		_ = m.KeepToken(context.Background(), key, sealed, token.MaxTTL) // always nil
	}
}

// token returns the token cached under key and its remaining lifetime, or zero values
// if there is none or it has expired.
func (m *Memory) token(key token.CacheKey) (sealed []byte, left time.Duration) {
	value, ok := m.tokens.Get(digestOf(m.seeds, key), nil)
	if !ok {
		return nil, 0
	}
	left = time.Duration(int64(binary.LittleEndian.Uint64(value)) - time.Now().UnixNano()) //nolint:gosec // written by KeepToken
	if left <= 0 {
		return nil, 0
	}
	return value[expirySize:], left
}

func digestOf[K comparable](seeds [2]maphash.Seed, key K) (d digest) {
	binary.LittleEndian.PutUint64(d[:8], maphash.Comparable(seeds[0], key))
	binary.LittleEndian.PutUint64(d[8:], maphash.Comparable(seeds[1], key))
	return d
}

// Close does nothing and returns nil.
func (m *Memory) Close() error { return nil }

// counters counts in windows with ulule/limiter's memory store, which is unbounded by
// itself. So after every bound/4 new windows a sweep deletes those that have ended,
// and arbitrary others if more than bound are left.
type counters struct {
	windows  *memory.CacheWrapper
	bound    int
	started  atomic.Int64 // windows since the last sweep
	sweeping sync.Mutex
}

func newCounters(bound int) counters {
	return counters{windows: memory.NewCache(0), bound: bound} // 0: sweep replaces its own cleaner
}

// add counts one hit under d. It returns the count of the window and when it ends; a
// window starts with its first hit and lasts for period.
func (c *counters) add(d digest, period time.Duration) (int64, time.Time) {
	n, ends := c.windows.Increment(string(d[:]), 1, period)
	if n == 1 && c.started.Add(1) > int64(c.bound/4) && c.sweeping.TryLock() {
		c.sweep()
		c.sweeping.Unlock()
	}
	return n, ends
}

func (c *counters) sweep() {
	c.started.Store(0)
	left := 0
	c.windows.Range(func(key string, window *memory.Counter) {
		if window.Expired() || left >= c.bound {
			c.windows.Delete(key)
			return
		}
		left++
	})
}
