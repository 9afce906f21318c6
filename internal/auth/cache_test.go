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

// remember puts n tokens into c that expire at 1000, 1001 and so on.
func remember(c *cache, n int) {
	for i := range n {
		who := &Principal{Subject: fmt.Sprintf("demo:user-%06d", i), Roles: RoleUser}
		c.put(digestOf(i), entry{who: who, expires: int64(1000 + i), verifier: 3, generation: 7})
	}
}

func always(entry) bool { return true }

func TestAnEntryComesBackAsItWasRemembered(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	remember(c, 2)
	who := c.get(digestOf(1), 0, func(e entry) bool { return e.verifier == 3 && e.generation == 7 && e.expires == 1001 })
	if who == nil || *who != (Principal{Subject: "demo:user-000001", Roles: RoleUser}) {
		t.Errorf("got %+v", who)
	}
}

func TestAnEntryLivesExactlyUntilItsTokenExpires(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	remember(c, 1)
	if c.get(digestOf(0), 999, always) == nil || c.get(digestOf(0), 1000, always) != nil {
		t.Error("an entry does not live exactly until its token expires")
	}
}

func TestAnEntryDiesWithItsKeys(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	remember(c, 1)
	if c.get(digestOf(0), 0, func(e entry) bool { return e.generation == 8 }) != nil {
		t.Error("an entry outlives its keys")
	}
}

func TestAFullCacheForgetsTheOldest(t *testing.T) {
	t.Parallel()
	c := newCache(1) // which makes it 128 KiB
	remember(c, 20_000)
	kept := 0
	for i := range 20_000 {
		if c.get(digestOf(i), 0, always) != nil {
			kept++
		}
	}
	if kept < 1000 || kept > 3000 {
		t.Errorf("%d of 20,000 tokens are kept", kept)
	}
	if c.get(digestOf(19_999), 0, always) == nil {
		t.Error("the newest was forgotten")
	}
}
