package bytecache_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/bytecache"
)

func key(i int) (k bytecache.Key) {
	binary.BigEndian.PutUint64(k[:], uint64(i)) //nolint:gosec // a loop counter
	return k
}

// wantValue fails the test unless c has value under k.
func wantValue(t *testing.T, c *bytecache.Cache, k bytecache.Key, value string) {
	t.Helper()
	if got, ok := c.Get(k, nil); !ok || string(got) != value {
		t.Errorf("got %.20q, %v; want %.20q", got, ok, value)
	}
}

func TestGetReturnsTheLatestValue(t *testing.T) {
	t.Parallel()
	c := bytecache.New(0)
	if _, ok := c.Get(key(1), nil); ok {
		t.Error("an empty cache has a value")
	}
	c.Put(key(1), []byte("one"))
	c.Put(key(2), nil)
	wantValue(t, c, key(1), "one")
	wantValue(t, c, key(2), "")
	c.Put(key(1), []byte("another"))
	wantValue(t, c, key(1), "another")
	if c.Len() != 2 {
		t.Errorf("got %d entries, want 2", c.Len())
	}
}

func TestSuffixOfTheLatestValueIsFound(t *testing.T) {
	t.Parallel()
	c := bytecache.New(0)
	c.Put(key(1), []byte("12345678old"))
	c.Put(key(1), []byte("12345678new"))
	for suffix, want := range map[string]bool{"new": true, "old": false, "12345678new and more": false} {
		if got := c.HasSuffix(key(1), []byte(suffix)); got != want {
			t.Errorf("%q: got %v, want %v", suffix, got, want)
		}
	}
	if c.HasSuffix(key(2), nil) {
		t.Error("a key without a value: got true, want false")
	}
}

func TestFullCacheEvictsTheOldestEntries(t *testing.T) {
	t.Parallel()
	c := bytecache.New(256 << 10)
	value := bytes.Repeat([]byte("x"), 100)
	const many = 10_000
	for i := range many {
		c.Put(key(i), value)
	}
	if n := c.Len(); n < 1500 || n > 2500 {
		t.Errorf("got %d entries of 118 bytes in 256 KiB, want 1500 to 2500", n)
	}
	if _, ok := c.Get(key(0), nil); ok {
		t.Error("the oldest entry was not evicted")
	}
	wantValue(t, c, key(many-1), string(value))
}

func TestEntryThatIsPutAgainIsNotEvicted(t *testing.T) {
	t.Parallel()
	c := bytecache.New(0)
	for i := range 20_000 {
		c.Put(key(-1), []byte("again"))
		c.Put(key(i), []byte("once"))
	}
	wantValue(t, c, key(-1), "again")
}

func TestTooLongValueIsNotStoredAndRemovesTheOldOne(t *testing.T) {
	t.Parallel()
	c := bytecache.New(0)
	longest := strings.Repeat("x", bytecache.MaxValue)
	c.Put(key(1), []byte(longest))
	wantValue(t, c, key(1), longest)
	c.Put(key(1), []byte(longest+"x"))
	if _, ok := c.Get(key(1), nil); ok {
		t.Error("the old value is still there")
	}
}

// TestCacheReturnsWhatAMapWould compares a Cache with a map over random puts.
func TestCacheReturnsWhatAMapWould(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers in each run
	c, model := bytecache.New(0), map[bytecache.Key]string{}
	for range 50_000 {
		k := key(random.IntN(2000))
		value := strings.Repeat("v", random.IntN(300))
		c.Put(k, []byte(value))
		model[k] = value
		other := key(random.IntN(2000))
		if got, ok := c.Get(other, nil); ok && string(got) != model[other] {
			t.Fatalf("got %d bytes, want %d", len(got), len(model[other]))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := bytecache.New(0)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var buf [64]byte
			for j := range 5000 {
				k := key(i*5000 + j)
				c.Put(k, k[:])
				if got, ok := c.Get(k, buf[:0]); ok && !bytes.Equal(got, k[:]) {
					t.Errorf("got %x, want %x", got, k)
				}
			}
		})
	}
	wg.Wait()
}

func TestFiftyThousandEntriesTakeLessThan10MiB(t *testing.T) {
	before := heap()
	c := bytecache.New(16 << 20)
	for i := range 50_000 {
		c.Put(key(i), make([]byte, 100))
	}
	used := heap() - before
	t.Logf("50,000 entries of 100 bytes take %d bytes", used)
	if used > 10<<20 {
		t.Errorf("got %d bytes, want 10 MiB at most", used)
	}
	runtime.KeepAlive(c)
}

// heap returns the bytes in use on the heap.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc) //nolint:gosec // far below 2^63
}
