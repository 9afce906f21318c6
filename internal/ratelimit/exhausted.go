package ratelimit

import (
	"sync"
	"sync/atomic"
)

// maxExhausted bounds how many exhausted limits are remembered. Past it, requests
// against further ones cost a round trip each until their window ends.
const maxExhausted = 10_000

// exhausted remembers which limits are used up, and until when. The zero value is
// empty. It is safe for concurrent use.
type exhausted struct {
	size  atomic.Int64 // len(until), so that the usual case takes no lock
	mu    sync.RWMutex
	until map[limitKey]int64 // unix seconds
	swept int64              // when expired limits were last deleted, in unix seconds
}

// limitKey identifies one count of one limit.
type limitKey struct{ rule, who string }

func (h Hit) limitKey() limitKey { return limitKey{h.Rule, h.Who} }

func (e *exhausted) empty() bool { return e.size.Load() == 0 }

// get returns when the window of k ends, or 0 if k is not known to be exhausted.
func (e *exhausted) get(k limitKey, now int64) int64 {
	if e.empty() {
		return 0
	}
	e.mu.RLock()
	until := e.until[k]
	e.mu.RUnlock()
	if until <= now {
		return 0
	}
	return until
}

// add remembers k until its window ends, and reports whether there was room for it.
func (e *exhausted) add(k limitKey, until, now int64) bool {
	if until <= now {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.until == nil {
		e.until = map[limitKey]int64{}
	}
	if len(e.until) >= maxExhausted && e.swept != now { // at most once a second, since it reads them all
		e.swept = now
		e.deleteExpired(now)
	}
	room := len(e.until) < maxExhausted
	if room {
		e.until[k] = until
	}
	e.size.Store(int64(len(e.until)))
	return room
}

func (e *exhausted) deleteExpired(now int64) {
	for k, until := range e.until {
		if until <= now {
			delete(e.until, k)
		}
	}
}
