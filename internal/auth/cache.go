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

// cache remembers verified tokens by the first half of their SHA-256, so a token
// itself is never kept. Entries are bytes in a ring: with an object for each, the
// garbage collector took a fifth of the program's time.
type cache struct {
	ring   *bytecache.Cache // nil remembers nothing
	hits   atomic.Uint64
	misses atomic.Uint64
}

// newCache returns a cache of size bytes; 0 remembers nothing.
func newCache(size int) *cache {
	if size <= 0 {
		return &cache{}
	}
	return &cache{ring: bytecache.New(size)}
}

// digest hashes token. 16 bytes are enough: who could find a second token with the
// same ones could as well guess a key. The array keeps a usual token off the heap.
func digest(token string) bytecache.Key {
	var room [1024]byte
	sum := sha256.Sum256(append(room[:0], token...))
	return bytecache.Key(sum[:])
}

// An entry in the ring: expires (8 bytes), generation (4), verifier (2), roles (1), subject.
const (
	entryHeader = 8 + 4 + 2 + 1
	maxEntry    = entryHeader + maxNameSize + len(":") + maxSubjectSize
)

// get returns what is remembered of the token with this digest, if it is still
// alive at now and valid holds for it.
func (c *cache) get(key bytecache.Key, now int64, valid func(entry) bool) *Principal {
	if c.ring != nil {
		var room [maxEntry]byte
		if b, ok := c.ring.Get(key, room[:0]); ok {
			if e := decodeEntry(b); now < e.expires && valid(e) {
				c.hits.Add(1)
				return e.who
			}
		}
	}
	c.misses.Add(1)
	return nil
}

// put remembers e.
func (c *cache) put(key bytecache.Key, e entry) {
	if c.ring != nil {
		var room [maxEntry]byte
		c.ring.Put(key, e.encode(room[:0]))
	}
}

func (e entry) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.expires)) //nolint:gosec // after 1970
	b = binary.BigEndian.AppendUint32(b, e.generation)
	b = binary.BigEndian.AppendUint16(b, e.verifier)
	b = append(b, byte(e.who.Roles))
	return append(b, e.who.Subject...)
}

func decodeEntry(b []byte) entry {
	return entry{
		expires:    int64(binary.BigEndian.Uint64(b)), //nolint:gosec // written by encode
		generation: binary.BigEndian.Uint32(b[8:]),
		verifier:   binary.BigEndian.Uint16(b[12:]),
		who:        &Principal{Roles: Role(b[14]), Subject: string(b[entryHeader:])},
	}
}

func (c *cache) stats() CacheStats {
	s := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	if c.ring != nil {
		s.Entries = c.ring.Len()
	}
	return s
}
