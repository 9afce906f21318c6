package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"casbroker/internal/bytecache"
)

func digestOf(i int) bytecache.Key {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i)) //nolint:gosec // a loop's counter
	sum := sha256.Sum256(n[:])
	return bytecache.Key(sum[:])
}

// fillCache puts n tokens into c that expire at 1000, 1001 and so on.
func fillCache(c *cache, n int) {
	for i := range n {
		who := &Principal{Subject: fmt.Sprintf("demo:user-%06d", i), Roles: RoleUser}
		c.put(digestOf(i), entry{who: who, expires: int64(1000 + i), verifier: 3, generation: 7})
	}
}

func always(entry, int64) bool { return true }

func TestEntryIsReturnedAsStored(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	fillCache(c, 2)
	who := c.get(digestOf(1), 0, func(e entry, _ int64) bool { return e.verifier == 3 && e.generation == 7 && e.expires == 1001 })
	if who == nil || *who != (Principal{Subject: "demo:user-000001", Roles: RoleUser}) {
		t.Errorf("got %+v", who)
	}
}

func TestEntryExpiresWithItsToken(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	fillCache(c, 1)
	if c.get(digestOf(0), 999, always) == nil || c.get(digestOf(0), 1000, always) != nil {
		t.Error("the entry does not expire exactly with its token")
	}
}

func TestEntryIsInvalidOnceKeysChange(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	fillCache(c, 1)
	if c.get(digestOf(0), 0, func(e entry, _ int64) bool { return e.generation == 8 }) != nil {
		t.Error("the entry is still valid after its keys changed")
	}
}

func TestFullCacheDropsTheOldestEntries(t *testing.T) {
	t.Parallel()
	c := newCache(1) // raised to 128 KiB
	fillCache(c, 20_000)
	kept := 0
	for i := range 20_000 {
		if c.get(digestOf(i), 0, always) != nil {
			kept++
		}
	}
	if kept < 1000 || kept > 3000 {
		t.Errorf("got %d of 20,000 tokens, want 1,000 to 3,000", kept)
	}
	if c.get(digestOf(19_999), 0, always) == nil {
		t.Error("the newest entry was dropped")
	}
}
