package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/coocood/freecache"
)

// entry is a verified token.
type entry struct {
	who        *Principal
	expires    int64  // seconds since 1970
	verifier   uint16 // its index
	generation uint32 // of the verifier's keys when the token was verified
}

// cache remembers verified tokens by their SHA-256, so a token itself is never
// kept. Entries are bytes in a ring, in which the garbage collector finds nothing
// to follow: with one object for each entry it took a fifth of the program's time.
// When the ring is full the oldest give way.
type cache struct {
	ring   *freecache.Cache // nil remembers nothing
	hits   atomic.Uint64
	misses atomic.Uint64
}

// newCache returns a cache of size bytes; 0 remembers nothing.
func newCache(size int) *cache {
	if size <= 0 {
		return &cache{}
	}
	return &cache{ring: freecache.NewCache(size)}
}

// digest hashes token. The array keeps the bytes of a usual one off the heap.
func digest(token string) [sha256.Size]byte {
	var room [1024]byte
	return sha256.Sum256(append(room[:0], token...))
}

// An entry in the ring: expires (8 bytes), generation (4), verifier (2), roles (1), subject.
const entryHeader = 8 + 4 + 2 + 1

// get returns what is remembered of the token with this digest, if it is still
// alive at now and valid holds for it.
func (c *cache) get(key *[sha256.Size]byte, now int64, valid func(entry) bool) *Principal {
	var e entry
	if c.ring == nil || c.ring.GetFn(key[:], e.decode) != nil || now >= e.expires || !valid(e) {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	return e.who
}

// put remembers e.
func (c *cache) put(key *[sha256.Size]byte, e entry, now int64) {
	if c.ring == nil || e.expires <= now {
		return
	}
	var room [entryHeader + maxSubjectSize + len(":") + maxNameSize]byte
	// What does not fit is not remembered, and verified again.
	_ = c.ring.Set(key[:], e.encode(room[:0]), int(e.expires-now))
}

func (e *entry) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.expires)) //nolint:gosec // after 1970
	b = binary.BigEndian.AppendUint32(b, e.generation)
	b = binary.BigEndian.AppendUint16(b, e.verifier)
	b = append(b, byte(e.who.Roles))
	return append(b, e.who.Subject...)
}

func (e *entry) decode(b []byte) error {
	e.expires = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // written by encode
	e.generation = binary.BigEndian.Uint32(b[8:])
	e.verifier = binary.BigEndian.Uint16(b[12:])
	e.who = &Principal{Roles: Role(b[14]), Subject: string(b[entryHeader:])}
	return nil
}

func (c *cache) stats() CacheStats {
	s := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	if c.ring != nil {
		s.Entries = int(c.ring.EntryCount())
	}
	return s
}
