package usage

import (
	"maps"
	"sync"
	"sync/atomic"
)

// maxLabels bounds the labels of a series that a process tells apart, whatever
// comes; the broker's own are about twenty.
const maxLabels = 64

// labelOther stands for all labels past a bound.
const labelOther = "other"

// cell counts what happens within one minute, without a lock: its upper half is the
// minute and its lower half how often. So a count never ends up in another minute
// than its own, and none gets lost between two.
type cell struct{ v atomic.Uint64 }

// minute is a minute since 1970.
type minute uint32

func pack(m minute, n uint32) uint64 { return uint64(m)<<32 | uint64(n) }

func unpack(v uint64) (minute, int64) { return minute(v >> 32), int64(v & (1<<32 - 1)) }

// add counts one in m. What was counted in another minute before is returned, for
// the caller alone to keep; n is 0 for nothing.
func (c *cell) add(m minute) (before minute, n int64) {
	for {
		old := c.v.Load()
		at, n := unpack(old)
		if at == m {
			if c.v.CompareAndSwap(old, old+1) {
				return 0, 0
			}
			continue
		}
		if c.v.CompareAndSwap(old, pack(m, 1)) {
			return at, n
		}
	}
}

// drain empties the cell and returns what was in it.
func (c *cell) drain() (minute, int64) { return unpack(c.v.Swap(0)) }

// family is the cells of a series with labels. Finding one is a look-up in a map
// that is copied when it grows, so the hot path takes no lock and allocates nothing.
type family struct {
	grow  sync.Mutex
	known atomic.Pointer[map[string]*labelled]
}

// labelled is a cell with the label that it counts for.
type labelled struct {
	label string
	cell
}

// of returns the cell of label, or that of all further labels when there are too
// many.
func (f *family) of(label string) *labelled {
	if l, ok := f.all()[label]; ok {
		return l
	}
	f.grow.Lock()
	defer f.grow.Unlock()
	known := f.all()
	if len(known) >= maxLabels {
		label = labelOther
	}
	if l, ok := known[label]; ok {
		return l
	}
	more := maps.Clone(known)
	if more == nil {
		more = map[string]*labelled{}
	}
	l := &labelled{label: label}
	more[label] = l
	f.known.Store(&more)
	return l
}

// all returns the cells that there are; the map is not to be changed.
func (f *family) all() map[string]*labelled {
	if known := f.known.Load(); known != nil {
		return *known
	}
	return nil
}
