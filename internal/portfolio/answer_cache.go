package portfolio

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"casbroker/internal/httpapi"
)

// Bounds of an answerCache.
const (
	answerCacheBytes = 16 << 20
	maxCachedAnswer  = 1 << 20
	answerOverhead   = 512              // bytes that an answer takes next to its body and version, about
	answerSweep      = 10 * time.Minute // an answer is forgotten one to two sweeps after it was last used
)

// readRoute is a route whose answers are cached.
type readRoute byte

const (
	readLatest    readRoute = iota // GET /v1/portfolios/latest
	readPortfolio                  // GET /v1/portfolios/{id}
	readRows                       // GET /v1/portfolios/{id}/holdings
	readOwned                      // GET /v1/holdings
)

// answerKey identifies an answer.
type answerKey struct {
	subject   string
	portfolio string // its id, "" where there is none
	Selection
	Filter
	cursor string
	limit  int
	route  readRoute
	isGzip bool
}

// answerCache keeps answers in memory, each with the version of what it is made of. A cached
// answer is sent only after the database has confirmed the version, in the same request: others
// may have changed the portfolios. Reading a version costs a fifth of making an answer. The
// zero value is an empty cache. It is safe for concurrent use.
type answerCache struct {
	mu      sync.Mutex
	entries map[answerKey]*list.Element
	order   list.List // of cachedAnswers, the last used first
	bytes   int
	sweeper *time.Timer // nil while there are no entries

	hits, misses atomic.Uint64
}

// AnswerStats is what the cache of answers to reads was of use for.
type AnswerStats struct {
	Hits   uint64 // reads that were answered with a cached answer
	Misses uint64 // other reads of routes with a cache
	Bytes  int    // of the answers that it has now
}

func (c *answerCache) stats() AnswerStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return AnswerStats{c.hits.Load(), c.misses.Load(), c.bytes}
}

// cachedAnswer is never changed, except for idle.
type cachedAnswer struct {
	key     answerKey
	version string
	idle    bool // not used since the last sweep
	httpapi.Answer
}

func (a *cachedAnswer) size() int { return a.Size() + len(a.version) + answerOverhead }

// get returns the answer for key, of whatever version, or nil.
func (c *answerCache) get(key *answerKey) *cachedAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[*key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	a, _ := e.Value.(*cachedAnswer)
	a.idle = false
	return a
}

// put adds a, and forgets those that were not used for longest, if need be.
func (c *answerCache) put(a *cachedAnswer) {
	if a.size() > maxCachedAnswer {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[answerKey]*list.Element{}
	}
	if c.sweeper == nil {
		c.sweeper = time.AfterFunc(answerSweep, c.sweep)
	}
	c.remove(c.entries[a.key])
	c.entries[a.key] = c.order.PushFront(a)
	for c.bytes += a.size(); c.bytes > answerCacheBytes; {
		c.remove(c.order.Back())
	}
}

// sweep forgets the answers that were not used since the last sweep, and comes again if there
// are others.
func (c *answerCache) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Back(); e != nil; {
		before := e.Prev()
		if a, _ := e.Value.(*cachedAnswer); a.idle {
			c.remove(e)
		} else {
			a.idle = true
		}
		e = before
	}
	if len(c.entries) == 0 {
		c.sweeper = nil
		return
	}
	c.sweeper.Reset(answerSweep)
}

// drop forgets the answer for key.
func (c *answerCache) drop(key *answerKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.entries[*key])
}

// remove forgets e unless it is nil.
func (c *answerCache) remove(e *list.Element) {
	if e == nil {
		return
	}
	if a, ok := c.order.Remove(e).(*cachedAnswer); ok {
		delete(c.entries, a.key)
		c.bytes -= a.size()
	}
}
