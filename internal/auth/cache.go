package auth

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// epoch is the time during which a set of keys stays as it is. Once it is over,
// nothing that was verified with those keys counts.
type epoch struct{ over atomic.Bool }

// entry is a verified token. It is three words, and the map below keeps it
// without a node of its own: 50,000 entries with their Principals take 6 MB.
type entry struct {
	who     *Principal
	expires int64 // seconds since 1970
	keys    *epoch
}

func (e entry) alive(now int64) bool { return now < e.expires && !e.keys.over.Load() }

// cache remembers verified tokens by their SHA-256, so a token itself is never
// kept. An entry dies with its token and with the keys that it was verified with.
type cache struct {
	size   int
	hits   atomic.Uint64
	misses atomic.Uint64

	mu      sync.RWMutex
	entries map[[sha256.Size]byte]entry
}

func newCache(size int) *cache {
	return &cache{size: size, entries: make(map[[sha256.Size]byte]entry)}
}

// digest hashes token. The array keeps the bytes of a usual one off the heap.
func digest(token string) [sha256.Size]byte {
	var room [1024]byte
	return sha256.Sum256(append(room[:0], token...))
}

// get returns whom the token with this digest speaks for, nil if that is not known.
func (c *cache) get(key [sha256.Size]byte, now int64) *Principal {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if !ok || !e.alive(now) {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	return e.who
}

// put remembers e, making room for it if need be.
func (c *cache) put(key [sha256.Size]byte, e entry, now int64) {
	if c.size <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[key]; !there && len(c.entries) >= c.size {
		c.evict(now)
	}
	c.entries[key] = e
}

// evict drops, of a few entries met at random, the dead ones, or else the one that
// would die first. Tokens are short-lived, so the next to die is the least loss,
// and no list of uses has to be kept.
func (c *cache) evict(now int64) {
	const sample = 8
	var first [sha256.Size]byte
	var expires int64
	met, dropped := 0, false
	for key, e := range c.entries {
		switch {
		case !e.alive(now):
			delete(c.entries, key)
			dropped = true
		case expires == 0 || e.expires < expires:
			first, expires = key, e.expires
		}
		if met++; met == sample {
			break
		}
	}
	if !dropped {
		delete(c.entries, first)
	}
}

func (c *cache) stats() CacheStats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load(), Entries: len(c.entries)}
}
