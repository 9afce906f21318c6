// Package bytecache is a bounded cache of short byte strings with almost no cost for the
// garbage collector: the values lie in chunks of 64 KiB and the index has no pointers,
// so the collector follows one pointer a chunk however many entries there are. When
// the cache is full, the oldest chunk is emptied: the oldest entries go first.
//
// It is written by hand because 50,000 entries of 100 bytes take 8 MB here, and 20 MB
// and more with the libraries that were measured.
package bytecache

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// KeySize is the length of a key in bytes. Keys are expected to be digests.
const KeySize = 16

// Key identifies an entry.
type Key [KeySize]byte

// chunkSize is the size of a chunk in bytes, and how much is evicted at once.
const chunkSize = 64 << 10

// headerSize is the size in bytes of what is stored in front of each value: its key,
// and its length in 2 bytes.
const headerSize = KeySize + 2

// MaxValue is the length of the longest value in bytes.
const MaxValue = chunkSize - headerSize

// Cache maps keys to values. It is safe for concurrent use.
type Cache struct {
	mu        sync.RWMutex
	index     map[Key]uint32 // the position of each entry: chunk number * chunkSize + offset in the chunk
	chunks    [][]byte       // a ring, allocated as needed
	current   int            // the chunk that new entries are written to
	maxChunks int
}

// New returns an empty Cache that holds size bytes, including keys and excluding the
// index. The size is at least 128 KiB and at most 4 GiB. Memory is allocated as needed.
func New(size int) *Cache {
	maxChunks := min(max(size/chunkSize, 2), 1<<32/chunkSize)
	return &Cache{index: map[Key]uint32{}, chunks: make([][]byte, 1, maxChunks), maxChunks: maxChunks}
}

// Put stores a copy of value under key and replaces an older value. A value longer
// than MaxValue is not stored, and the older value is removed.
func (c *Cache) Put(key Key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(value) > MaxValue {
		delete(c.index, key)
		return
	}
	if len(c.chunks[c.current])+headerSize+len(value) > chunkSize {
		c.nextChunk()
	}
	chunk := c.chunks[c.current]
	if chunk == nil {
		chunk = make([]byte, 0, chunkSize)
	}
	c.index[key] = c.position(len(chunk))
	chunk = append(chunk, key[:]...)
	chunk = binary.BigEndian.AppendUint16(chunk, uint16(len(value))) //nolint:gosec // at most MaxValue
	c.chunks[c.current] = append(chunk, value...)
}

// position returns the position of the entry at offset in the current chunk.
func (c *Cache) position(offset int) uint32 {
	return uint32(c.current*chunkSize + offset) //nolint:gosec // New keeps it below 2^32
}

// nextChunk makes the next chunk of the ring the current one and evicts its entries.
func (c *Cache) nextChunk() {
	c.current++
	if c.current == c.maxChunks {
		c.current = 0
	}
	if c.current == len(c.chunks) {
		c.chunks = append(c.chunks, nil)
		return
	}
	chunk := c.chunks[c.current]
	for offset := 0; offset < len(chunk); {
		key := Key(chunk[offset:])
		if c.index[key] == c.position(offset) { // false if a newer value of the key is elsewhere
			delete(c.index, key)
		}
		offset += headerSize + int(binary.BigEndian.Uint16(chunk[offset+KeySize:]))
	}
	c.chunks[c.current] = chunk[:0]
}

// Get appends the value under key to buf and returns the result. ok is false if there
// is no value.
func (c *Cache) Get(key Key, buf []byte) (value []byte, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	position, ok := c.index[key]
	if !ok {
		return nil, false
	}
	entry := c.chunks[position/chunkSize][position%chunkSize:]
	length := int(binary.BigEndian.Uint16(entry[KeySize:]))
	return append(buf, entry[headerSize:headerSize+length]...), true
}

// HasSuffix reports whether there is a value under key that ends with suffix. It allocates
// nothing.
func (c *Cache) HasSuffix(key Key, suffix []byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	position, ok := c.index[key]
	if !ok {
		return false
	}
	entry := c.chunks[position/chunkSize][position%chunkSize:]
	length := int(binary.BigEndian.Uint16(entry[KeySize:]))
	return bytes.HasSuffix(entry[headerSize:headerSize+length], suffix)
}

// Len returns the number of entries.
func (c *Cache) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.index)
}
