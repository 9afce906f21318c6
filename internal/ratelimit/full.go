package ratelimit

import (
	"sync"
	"sync/atomic"
)

// maxFull bounds how many used-up limits are remembered. One that finds no room
// costs a trip per request until its window ends, nothing else.
const maxFull = 10_000

// full remembers which limits are used up, and until when. The zero value is
// empty. It is safe for concurrent use.
type full struct {
	size  atomic.Int64 // of until, so that the usual case takes no lock
	mu    sync.RWMutex
	until map[place]int64 // unix seconds
	swept int64           // when what is over was last dropped, unix seconds
}

// place is one count of one limit.
type place struct{ rule, who string }

func (f *full) empty() bool { return f.size.Load() == 0 }

// get returns until when the limit is used up, or 0 when as far as known it is not.
func (f *full) get(p place, now int64) int64 {
	if f.empty() {
		return 0
	}
	f.mu.RLock()
	until := f.until[p]
	f.mu.RUnlock()
	if until <= now {
		return 0
	}
	return until
}

func (f *full) add(p place, until, now int64) {
	if until <= now {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil {
		f.until = map[place]int64{}
	}
	if len(f.until) >= maxFull && f.swept != now { // a look at all of them, so once a second at most
		f.swept = now
		f.forget(now)
	}
	if len(f.until) < maxFull {
		f.until[p] = until
	}
	f.size.Store(int64(len(f.until)))
}

// forget drops what is over.
func (f *full) forget(now int64) {
	for p, until := range f.until {
		if until <= now {
			delete(f.until, p)
		}
	}
}
