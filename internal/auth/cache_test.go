package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// remember puts n tokens into c that expire at 1000, 1001 and so on.
func remember(c *cache, n int) {
	keys := &epoch{}
	for i := range n {
		who := &Principal{Subject: fmt.Sprintf("demo:user-%06d", i), Roles: RoleUser}
		c.put(digestOf(i), entry{who: who, expires: int64(1000 + i), keys: keys}, 0)
	}
}

func digestOf(i int) [sha256.Size]byte {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i)) //nolint:gosec // a loop's counter
	return sha256.Sum256(n[:])
}

func TestAFullCacheStaysWithinItsSizeAndLosesWhatWouldDieSoon(t *testing.T) {
	t.Parallel()
	c := newCache(100)
	remember(c, 5000)
	if got := c.stats().Entries; got != 100 {
		t.Fatalf("%d entries, want 100", got)
	}
	late := 0
	for i := 4000; i < 5000; i++ {
		if c.get(digestOf(i), 0) != nil {
			late++
		}
	}
	if late < 90 {
		t.Errorf("%d of 100 entries are among the last fifth to die, want 90", late)
	}
}

func TestDeadEntriesMakeRoomFirst(t *testing.T) {
	t.Parallel()
	c := newCache(8)
	remember(c, 8)
	c.put(digestOf(8), entry{who: &Principal{}, expires: 5000, keys: &epoch{}}, 1004)
	for i := 5; i <= 8; i++ {
		if c.get(digestOf(i), 1004) == nil {
			t.Errorf("entry %d, alive, was dropped", i)
		}
	}
	if got := c.stats().Entries; got != 4 {
		t.Errorf("%d entries, want the 4 that live", got)
	}
}

func TestFiftyThousandTokensFitIntoTenMegabytes(t *testing.T) {
	before := heap()
	c := newCache(50_000)
	remember(c, 50_000)
	used := heap() - before
	if used > 10<<20 {
		t.Errorf("%d bytes", used)
	}
	t.Logf("%d bytes, %d each", used, used/50_000)
	runtime.KeepAlive(c)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // a heap of less than 8 EiB
}

func TestTheTimeOfADeadKeyIsOverForEachOfItsTokens(t *testing.T) {
	t.Parallel()
	c := newCache(10)
	remember(c, 2)
	e := c.entries[digestOf(0)]
	if c.get(digestOf(0), 999) == nil || c.get(digestOf(0), time.Unix(1000, 0).Unix()) != nil {
		t.Error("an entry does not live exactly until its token expires")
	}
	e.keys.over.Store(true)
	if c.get(digestOf(0), 0) != nil || c.get(digestOf(1), 0) != nil {
		t.Error("entries outlive their keys")
	}
}
