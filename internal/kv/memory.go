package kv

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
)

// MemoryOptions bound a Memory.
type MemoryOptions struct {
	Tokens int // tokens kept, 300 bytes each; 0 means 100,000
	Counts int // counts kept, 170 bytes each; 0 means 200,000
}

// Memory keeps tokens and counts in the process. When it is full it forgets the
// oldest tokens, which have the least life left, and any of the counts. Windows
// begin with the first hit.
type Memory struct {
	tokens *lru.Cache[digest, keptToken]
	counts counts
	seeds  [2]maphash.Seed
}

// digest stands for a key of any length. The seeds are random and never leave the
// process, so nobody can make two keys meet.
type digest [2]uint64

type keptToken struct {
	sealed  []byte
	expires int64 // unix nanoseconds
}

// NewMemory returns an empty Memory. It fails when a bound is negative.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.Tokens == 0 {
		o.Tokens = 100_000
	}
	if o.Counts == 0 {
		o.Counts = 200_000
	}
	if o.Counts < 0 {
		return nil, fmt.Errorf("counts kept in memory: want 1 or more, not %d", o.Counts)
	}
	tokens, err := lru.New[digest, keptToken](o.Tokens)
	if err != nil {
		return nil, fmt.Errorf("tokens kept in memory: want 1 or more, not %d: %w", o.Tokens, err)
	}
	return &Memory{
		tokens: tokens,
		counts: newCounts(o.Counts),
		seeds:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}, nil
}

// Take counts hits and returns the token kept under fetch.
func (m *Memory) Take(_ context.Context, hits []ratelimit.Hit, fetch string) ([]limiter.Context, []byte, error) {
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		n, ends := m.counts.add(m.digest(h.Rule, h.Who), h.Rate.Period)
		states[i] = state(h.Rate, n, ends.Unix()+1) // the first second in which it is over
	}
	if fetch == "" {
		return states, nil, nil
	}
	t, _ := m.token(fetch)
	return states, t.sealed, nil
}

// Token returns what is kept under key, nil if nothing is.
func (m *Memory) Token(_ context.Context, key string) ([]byte, error) {
	t, _ := m.token(key)
	return t.sealed, nil
}

// KeepToken keeps a copy of sealed under key for life.
func (m *Memory) KeepToken(_ context.Context, key string, sealed []byte, life time.Duration) error {
	if life > 0 {
		m.tokens.Add(m.digest("token", key), keptToken{slices.Clone(sealed), time.Now().Add(life).UnixNano()})
	}
	return nil
}

// token returns what is kept under key and how much of its life is left; neither
// when it has expired.
func (m *Memory) token(key string) (keptToken, time.Duration) {
	t, ok := m.tokens.Peek(m.digest("token", key)) // asking for a token makes it no younger
	if !ok {
		return keptToken{}, 0
	}
	left := time.Duration(t.expires - time.Now().UnixNano())
	if left <= 0 {
		return keptToken{}, 0
	}
	return t, left
}

func (m *Memory) digest(kind, key string) digest {
	k := [2]string{kind, key}
	return digest{maphash.Comparable(m.seeds[0], k), maphash.Comparable(m.seeds[1], k)}
}

// Ping returns nil: memory is always there.
func (m *Memory) Ping(context.Context) error { return nil }

// Close returns nil: there is nothing to give back.
func (m *Memory) Close() error { return nil }
