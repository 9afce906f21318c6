package cache

import (
	"time"

	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// degrade lets memory take over, because of err, and begins to look for Redis.
func (f *Fallback) degrade(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped.Err() != nil || !f.degraded.CompareAndSwap(false, true) {
		return
	}
	f.Log.Warn("Redis does not answer, going on in memory", "error", err)
	if f.OnChange != nil {
		f.OnChange(true)
	}
	f.watchers.Go(f.watch)
}

// watch returns when Redis is in use again or f is closed.
func (f *Fallback) watch() {
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for {
		select {
		case <-f.stopped.Done():
			return
		case <-tick.C:
		}
		if f.resume() {
			return
		}
	}
}

// probe is counted to see whether Redis takes what it is there for: one that is
// full, or only a replica, still answers a ping.
var probe = []ratelimit.Hit{{Rule: "probe", Rate: limiter.Rate{Period: time.Minute}}}

// maxOwed bounds how many tokens are brought to Redis when it comes back. Of more,
// only this replica knows.
const maxOwed = 100_000

// owe remembers that Redis lacks the token of key. It returns false when Redis is
// in use, and so can be given the token.
func (f *Fallback) owe(key token.CacheKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.degraded.Load() {
		return false
	}
	if len(f.owed) < maxOwed {
		f.owed[key] = struct{}{}
	}
	return true
}

// resume hands over to Redis, if that answers and takes the tokens that it is owed.
func (f *Fallback) resume() bool {
	if _, _, err := f.redis.Take(f.stopped, probe, ratelimit.TokenKey{}); err != nil {
		return false
	}
	for {
		key, done := f.nextOwed()
		if done {
			return true
		}
		sealed, left := f.memory.token(key)
		if err := f.redis.KeepToken(f.stopped, key, sealed, left); err != nil {
			f.owe(key)
			return false
		}
	}
}

// nextOwed returns the key of a token to bring to Redis. When none is left it ends
// the degradation, at once, so that none can come in between.
func (f *Fallback) nextOwed() (key token.CacheKey, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.owed {
		delete(f.owed, key)
		return key, false
	}
	f.degraded.Store(false)
	f.Log.Info("Redis answers again")
	if f.OnChange != nil {
		f.OnChange(false)
	}
	return token.CacheKey{}, true
}
