package cache

import (
	"sync"
	"time"
)

// counterShards is into how many parts counters are split, so that callers seldom wait for each
// other.
const counterShards = 16

// counters counts in windows, each of which starts with its first hit. There are at most bound
// of them: then those that have ended are dropped, and arbitrary others until three quarters are left.
//
// It is written by hand because it allocates nothing for a hit and has no pointers, which the
// garbage collector would follow. With the memory store of ulule/limiter a hit makes two
// allocations, a counter takes three times the memory, and a sweep of our own was needed, too.
type counters struct {
	shards [counterShards]counterShard
	bound  int // of a shard
}

type counterShard struct {
	mu      sync.Mutex
	windows map[digest]window
}

// window is the hits of one window and when it ends, in unix nanoseconds.
type window struct {
	hits int64
	ends int64
}

func newCounters(bound int) *counters {
	c := &counters{bound: max(bound/counterShards, 1)}
	for i := range c.shards {
		c.shards[i].windows = map[digest]window{}
	}
	return c
}

// add counts one hit under d at now. It returns the hits of the window and when it ends; a new
// window lasts for period.
func (c *counters) add(d digest, now time.Time, period time.Duration) (int64, time.Time) {
	at := now.UnixNano()
	s := &c.shards[d[0]%counterShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.windows[d]
	if !ok && len(s.windows) >= c.bound {
		s.sweep(at, c.bound*3/4)
	}
	if at > w.ends {
		w = window{ends: at + int64(period)}
	}
	w.hits++
	s.windows[d] = w
	return w.hits, time.Unix(0, w.ends)
}

// sweep drops the windows that have ended at now, and arbitrary others if more than most are left.
func (s *counterShard) sweep(now int64, most int) {
	for d, w := range s.windows {
		if now > w.ends {
			delete(s.windows, d)
		}
	}
	for d := range s.windows {
		if len(s.windows) <= most {
			return
		}
		delete(s.windows, d)
	}
}
