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
	binary.BigEndian.PutUint64(k[:], uint64(i)) //nolint:gosec // a loop's counter
	return k
}

func want(t *testing.T, r *bytecache.Cache, k bytecache.Key, value string) {
	t.Helper()
	if got, ok := r.Get(k, nil); !ok || string(got) != value {
		t.Errorf("got %.20q %v, want %.20q", got, ok, value)
	}
}

func TestWhatWasPutComesBackUntilItIsPutAgain(t *testing.T) {
	t.Parallel()
	r := bytecache.New(0)
	if _, ok := r.Get(key(1), nil); ok {
		t.Error("an empty ring has something")
	}
	r.Put(key(1), []byte("one"))
	r.Put(key(2), nil)
	want(t, r, key(1), "one")
	want(t, r, key(2), "")
	r.Put(key(1), []byte("another"))
	want(t, r, key(1), "another")
	if r.Len() != 2 {
		t.Errorf("%d entries, want 2", r.Len())
	}
}

func TestAFullRingForgetsTheOldest(t *testing.T) {
	t.Parallel()
	r := bytecache.New(256 << 10)
	value := bytes.Repeat([]byte("x"), 100)
	const many = 10_000
	for i := range many {
		r.Put(key(i), value)
	}
	if n := r.Len(); n < 1500 || n > 2500 {
		t.Errorf("%d entries of 118 bytes in 256 KiB", n)
	}
	if _, ok := r.Get(key(0), nil); ok {
		t.Error("the oldest is still there")
	}
	want(t, r, key(many-1), string(value))
}

func TestAnEntryThatIsPutAgainAndAgainStays(t *testing.T) {
	t.Parallel()
	r := bytecache.New(0)
	for i := range 20_000 {
		r.Put(key(-1), []byte("again"))
		r.Put(key(i), []byte("once"))
	}
	want(t, r, key(-1), "again")
}

func TestAValueTooLongIsNotKeptNorWhatItReplaces(t *testing.T) {
	t.Parallel()
	r := bytecache.New(0)
	longest := strings.Repeat("x", bytecache.MaxValue)
	r.Put(key(1), []byte(longest))
	want(t, r, key(1), longest)
	r.Put(key(1), []byte(longest+"x"))
	if _, ok := r.Get(key(1), nil); ok {
		t.Error("an old value came back for a new one")
	}
}

// TestARingIsAMapThatForgets compares it with a map over random puts.
func TestARingIsAMapThatForgets(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	r, model := bytecache.New(0), map[bytecache.Key]string{}
	for range 50_000 {
		k := key(chance.IntN(2000))
		value := strings.Repeat("v", chance.IntN(300))
		r.Put(k, []byte(value))
		model[k] = value
		other := key(chance.IntN(2000))
		if got, ok := r.Get(other, nil); ok && string(got) != model[other] {
			t.Fatalf("got %d bytes, want %d", len(got), len(model[other]))
		}
	}
}

func TestManyMayUseItAtOnce(t *testing.T) {
	t.Parallel()
	r := bytecache.New(0)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			var room [64]byte
			for j := range 5000 {
				k := key(i*5000 + j)
				r.Put(k, k[:])
				if got, ok := r.Get(k, room[:0]); ok && !bytes.Equal(got, k[:]) {
					t.Errorf("got %x, want %x", got, k)
				}
			}
		})
	}
	all.Wait()
}

func TestFiftyThousandEntriesAreSmall(t *testing.T) {
	before := heap()
	r := bytecache.New(16 << 20)
	for i := range 50_000 {
		r.Put(key(i), make([]byte, 100))
	}
	used := heap() - before
	t.Logf("50,000 entries of 100 bytes take %d bytes", used)
	if used > 10<<20 {
		t.Errorf("%d bytes", used)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc) //nolint:gosec // far from 2^63
}
