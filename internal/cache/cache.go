// Package cache stores what may be lost: sealed tokens that are still valid, the
// counters of rate limits, and messages between replicas. Memory keeps them in the
// process, Redis shares them between replicas, and Fallback uses Memory while Redis
// is unavailable. What must not be lost is kept by package store.
package cache

import (
	"github.com/ulule/limiter/v3"

	"casbroker/internal/access"
	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// Cache is what Memory, Redis and Fallback do alike. It is safe for concurrent use.
type Cache interface {
	ratelimit.Counter
	token.Cache
	access.PubSub

	// Close gives back what the cache holds. It is the last call.
	Close() error
}

var (
	_ Cache = (*Memory)(nil)
	_ Cache = (*Redis)(nil)
	_ Cache = (*Fallback)(nil)
)

// state returns what ulule/limiter says of a window in which count hits were taken
// and that ends at reset, in unix seconds.
func state(rate limiter.Rate, count, reset int64) limiter.Context {
	return limiter.Context{
		Limit:     rate.Limit,
		Remaining: max(rate.Limit-count, 0),
		Reset:     reset,
		Reached:   count > rate.Limit,
	}
}
