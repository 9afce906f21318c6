package cache

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// degrade switches to memory because of err, and starts to probe Redis.
func (f *Fallback) degrade(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped.Err() != nil || !f.degraded.CompareAndSwap(false, true) {
		return
	}
	f.cause, f.remedy = nil, ""
	f.setCause(err)
	if f.OnChange != nil {
		f.OnChange(true)
	}
	f.probers.Go(f.probe)
}

// probe tries Redis until it is in use again or f is closed.
func (f *Fallback) probe() {
	tick := time.NewTicker(f.ProbeEvery)
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

// probeHits are counted to check that Redis accepts writes: a full server and a replica
// still answer a ping. Of a cluster they are on all masters.
func (r *Redis) probeHits() []ratelimit.Hit {
	hits := []ratelimit.Hit{{Rule: "probe", Rate: limiter.Rate{Period: time.Minute}}}
	if _, ok := r.client.(*redis.ClusterClient); ok {
		for i := range 100 { // their slots are as good as random
			hits = append(hits, ratelimit.Hit{Rule: "probe", Who: strconv.Itoa(i), Rate: hits[0].Rate})
		}
	}
	return hits
}

// maxPending bounds how many tokens are copied to Redis when it is back. Further ones
// stay in this replica only.
const maxPending = 100_000

// addPending notes that the token of key must be copied to Redis. It returns false if
// Redis is in use, so that the caller can store the token there itself.
func (f *Fallback) addPending(key token.CacheKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.degraded.Load() {
		return false
	}
	if len(f.pending) < maxPending {
		f.pending[key] = struct{}{}
	}
	return true
}

// resume switches back to Redis if it answers and stores the pending tokens.
func (f *Fallback) resume() bool {
	err := f.redis.findMasters(f.stopped)
	if err == nil {
		_, _, err = f.redis.Take(f.stopped, f.redis.probeHits(), ratelimit.TokenKey{})
	}
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.setCause(err)
		return false
	}
	for {
		key, done := f.nextPending()
		if done {
			return true
		}
		sealed, left := f.memory.token(key)
		if err := f.redis.KeepToken(f.stopped, key, sealed, left); err != nil {
			f.addPending(key)
			return false
		}
	}
}

// nextPending returns the key of a token to copy to Redis. If none is left it switches
// back to Redis under the same lock, so that none can be added in between.
func (f *Fallback) nextPending() (key token.CacheKey, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.pending {
		delete(f.pending, key)
		return key, false
	}
	f.degraded.Store(false)
	f.Log.Info("Redis answers again")
	if f.OnChange != nil {
		f.OnChange(false)
	}
	return token.CacheKey{}, true
}
