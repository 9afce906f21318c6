package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"casbroker/internal/bytecache"
)

// entry is a verified token.
type entry struct {
	who        *Principal
	expires    int64  // seconds since 1970
	verifier   uint16 // its index
	generation uint32 // of the verifier's keys when the token was verified
}

// cache holds verified tokens by the first half of their SHA-256; it never holds a token
// itself. Entries are encoded as bytes: with an object for each, the garbage collector
// took a fifth of the program's CPU time.
type cache struct {
	entries *bytecache.Cache // nil caches nothing
	hits    atomic.Uint64
	misses  atomic.Uint64
}

// newCache returns a cache of size bytes; with 0 it caches nothing.
func newCache(size int) *cache {
	if size <= 0 {
		return &cache{}
	}
	return &cache{entries: bytecache.New(size)}
}

// digest hashes token. 16 bytes are enough: finding a second token with the same digest
// is as hard as guessing a key. The buffer keeps tokens of usual size off the heap.
func digest(token string) bytecache.Key {
	var buf [1024]byte
	sum := sha256.Sum256(append(buf[:0], token...))
	return bytecache.Key(sum[:])
}

// An encoded entry: expires (8 bytes), generation (4), verifier (2), scopes (2), roles (1),
// subject.
const (
	entryHeader = 8 + 4 + 2 + 2 + 1
	maxEntry    = entryHeader + maxNameSize + len(":") + maxSubjectSize
)

// get returns the Principal of the token with this digest, or nil if it is not cached,
// has expired at now (unix seconds) or valid returns false for it.
func (c *cache) get(key bytecache.Key, now int64, valid func(e entry, now int64) bool) *Principal {
	if c.entries != nil {
		var buf [maxEntry]byte
		if b, ok := c.entries.Get(key, buf[:0]); ok {
			if e := decodeEntry(b); now < e.expires && valid(e, now) {
				c.hits.Add(1)
				return e.who
			}
		}
	}
	c.misses.Add(1)
	return nil
}

// put caches e.
func (c *cache) put(key bytecache.Key, e entry) {
	if c.entries != nil {
		var buf [maxEntry]byte
		c.entries.Put(key, e.encode(buf[:0]))
	}
}

func (e entry) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.expires)) //nolint:gosec // not negative
	b = binary.BigEndian.AppendUint32(b, e.generation)
	b = binary.BigEndian.AppendUint16(b, e.verifier)
	b = binary.BigEndian.AppendUint16(b, uint16(e.who.Scopes))
	b = append(b, byte(e.who.Roles))
	return append(b, e.who.Subject...)
}

func decodeEntry(b []byte) entry {
	return entry{
		expires:    int64(binary.BigEndian.Uint64(b)), //nolint:gosec // written by encode
		generation: binary.BigEndian.Uint32(b[8:]),
		verifier:   binary.BigEndian.Uint16(b[12:]),
		who: &Principal{
			Scopes: Scope(binary.BigEndian.Uint16(b[14:])), Roles: Role(b[16]), Subject: string(b[entryHeader:]),
		},
	}
}

func (c *cache) stats() CacheStats {
	s := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	if c.entries != nil {
		s.Entries = c.entries.Len()
	}
	return s
}
