package cache

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"time"

	"github.com/ulule/limiter/v3"

	"casbroker/internal/bytecache"
	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// MemoryOptions bound a Memory.
type MemoryOptions struct {
	TokenBytes int // for tokens, about 170 each; 0 means 16 MiB, the least is 128 KiB
	Counts     int // counts kept, 170 bytes each; 0 means 200,000
}

// Memory keeps tokens and counts in the process. When it is full it forgets the
// oldest tokens, and any of the counts. Windows begin with the first hit.
type Memory struct {
	tokens *bytecache.Cache
	counts counts
	seeds  [2]maphash.Seed
}

// digest stands for a key of any length. The seeds are random and never leave the
// process, so nobody can make two keys meet.
type digest = bytecache.Key

// NewMemory returns an empty Memory. It fails when a bound is negative.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.TokenBytes < 0 || o.Counts < 0 {
		return nil, errors.New("what memory keeps cannot be less than nothing")
	}
	return &Memory{
		tokens: bytecache.New(cmp.Or(o.TokenBytes, 16<<20)),
		counts: newCounts(cmp.Or(o.Counts, 200_000)),
		seeds:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}, nil
}

// Take counts hits and returns the token kept under fetch.
func (m *Memory) Take(_ context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		n, ends := m.counts.add(digestOf(m.seeds, [2]string{h.Rule, h.Who}), h.Rate.Period)
		states[i] = state(h.Rate, n, ends.Unix()+1) // the first second in which it is over
	}
	if fetch == (ratelimit.TokenKey{}) {
		return states, nil, nil
	}
	sealed, _ := m.token(token.CacheKey(fetch))
	return states, sealed, nil
}

// Token returns what is kept under key, nil if nothing is.
func (m *Memory) Token(_ context.Context, key token.CacheKey) ([]byte, error) {
	sealed, _ := m.token(key)
	return sealed, nil
}

// expiry is how much room the end of a token's life takes before the token: unix
// nanoseconds in 8 bytes.
const expiry = 8

// KeepToken keeps a copy of sealed under key for life.
func (m *Memory) KeepToken(_ context.Context, key token.CacheKey, sealed []byte, life time.Duration) error {
	if life <= 0 {
		return nil
	}
	value := make([]byte, expiry, expiry+len(sealed))
	binary.LittleEndian.PutUint64(value, uint64(time.Now().Add(life).UnixNano()))
	m.tokens.Put(digestOf(m.seeds, key), append(value, sealed...))
	return nil
}

// token returns what is kept under key and how much of its life is left; neither
// when it has expired.
func (m *Memory) token(key token.CacheKey) (sealed []byte, left time.Duration) {
	value, ok := m.tokens.Get(digestOf(m.seeds, key), nil)
	if !ok {
		return nil, 0
	}
	left = time.Duration(int64(binary.LittleEndian.Uint64(value)) - time.Now().UnixNano()) //nolint:gosec // written by KeepToken
	if left <= 0 {
		return nil, 0
	}
	return value[expiry:], left
}

func digestOf[K comparable](seeds [2]maphash.Seed, key K) (d digest) {
	binary.LittleEndian.PutUint64(d[:8], maphash.Comparable(seeds[0], key))
	binary.LittleEndian.PutUint64(d[8:], maphash.Comparable(seeds[1], key))
	return d
}

// Close returns nil: there is nothing to give back.
func (m *Memory) Close() error { return nil }
