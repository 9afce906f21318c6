// Package cache stores what may be lost: sealed tokens that are still valid, counters
// of rate limits, and messages between replicas. Package store keeps what must not be
// lost.
//
//	               Cache
//	                 │
//	   ┌─────────────┴─────────────┐
//	   │ one replica               │ several replicas
//	Memory                      Fallback ── while Redis fails ──► Memory
//	bytecache: tokens              │                                │
//	ulule/limiter: counters        ▼      tokens, on recovery       │
//	                             Redis ◄────────────────────────────┘
//	                one server, Sentinel or Cluster
//
// The rules:
//
//   - Take counts a request against all its limits and fetches the caller's token, in
//     one round trip. Calls that are in flight together share a pipeline.
//   - Every call to Redis has a short deadline, connecting included. A pipeline is not
//     retried, since a retry could count a hit twice.
//   - The first failed call switches Fallback to Memory, so its callers pay one timeout.
//     A background probe reads the map of a cluster again, asks all its masters and counts
//     a hit; once that works, the tokens that Redis missed
//     are copied to it, and only then is it used again.
//   - Reserve gives turns at the vendor, in order (pace.go).
//   - Memory also has each token that this replica stored in Redis or read there, so losing
//     Redis costs no user the token.
//   - While Memory counts, each replica has counters of its own, starting at zero.
//   - Keys begin with "cb:", or another prefix, and hold hashes of subjects and addresses,
//     never the originals. The hash tag keeps a user's token and counters in one cluster slot.
//   - A value of another type under one of our keys is deleted, and counting begins again:
//     only errors of Redis itself open Memory.
//   - A message may be lost. Subscribers get an empty message after each (re)connect.
//   - URLs of Redis are never printed, neither in errors nor in logs.
//
// batcher makes the pipelines instead of go-redis' AutoPipeline, because it adds up the
// hits on counters that calls share and sends each counter once. Measured on 2 cores
// with go-redis v9.23.0 and 64 callers, for three limits and a token per call:
//
//	                           Take   CPU here   CPU in Redis   cmd/bench
//	batcher                 17.2 µs     5.8 µs         3.9 µs   12,300 and 11,600 tokens/s
//	AutoPipeline            24.1 µs    12.5 µs         5.5 µs    8,700 and  9,400 tokens/s
//	AutoPipeline, duplex    28.0 µs    13.6 µs         5.9 µs
package cache

import (
	"github.com/ulule/limiter/v3"

	"casbroker/internal/access"
	"casbroker/internal/apikey"
	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// Cache is implemented by Memory, Redis and Fallback. It is safe for concurrent use.
type Cache interface {
	ratelimit.Counter
	token.Cache
	access.PubSub
	apikey.Pacer

	// Close releases the cache's resources. No call may follow it.
	Close() error
}

var (
	_ Cache = (*Memory)(nil)
	_ Cache = (*Redis)(nil)
	_ Cache = (*Fallback)(nil)
)

// state returns the state of a window that has counted count hits and ends at reset,
// in unix seconds.
func state(rate limiter.Rate, count, reset int64) limiter.Context {
	return limiter.Context{
		Limit:     rate.Limit,
		Remaining: max(rate.Limit-count, 0),
		Reset:     reset,
		Reached:   count > rate.Limit,
	}
}
