package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// counts are windows counted by ulule/limiter's memory store, which by itself has
// no bound. So once as many windows have begun as a quarter of the bound, those
// that are over are dropped, and if that leaves more than the bound, any others.
type counts struct {
	windows  *memory.CacheWrapper
	bound    int
	begun    atomic.Int64 // since the last sweep
	sweeping sync.Mutex
}

func newCounts(bound int) counts {
	return counts{windows: memory.NewCache(0), bound: bound} // 0: it is swept from here
}

// add counts one under d and returns the count of the window, which began with its
// first hit and lasts for period, and when it ends.
func (c *counts) add(d digest, period time.Duration) (int64, time.Time) {
	n, ends := c.windows.Increment(string(d[:]), 1, period)
	if n == 1 && c.begun.Add(1) > int64(c.bound/4) && c.sweeping.TryLock() {
		c.sweep()
		c.sweeping.Unlock()
	}
	return n, ends
}

func (c *counts) sweep() {
	c.begun.Store(0)
	kept := 0
	c.windows.Range(func(key string, window *memory.Counter) {
		if window.Expired() || kept >= c.bound {
			c.windows.Delete(key)
			return
		}
		kept++
	})
}
