package cache

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"casbroker/internal/apikey"
)

// The generic cell rate algorithm stores one instant per key: when all turns that were
// given will have been used, at the pace of one per interval. A turn may be used a burst
// earlier. So a turn can also be reserved: the caller waits until it is its turn, and later
// callers get later turns.

// turn returns how long to wait for the next turn, and the new instant, both relative to
// now. until is the old one.
func turn(until time.Duration, p apikey.Pace) (wait, next time.Duration) {
	next = max(until, 0) + p.Interval
	return max(next-time.Duration(p.Burst)*p.Interval, 0), next
}

// turns gives turns in memory.
type turns struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// Reserve takes the next turn of key.
func (m *Memory) Reserve(_ context.Context, key string, p apikey.Pace) (time.Duration, bool, error) {
	wait, ok := m.turns.reserve(key, p, p.MaxWait)
	return wait, ok, nil
}

// reserve takes the next turn of key, unless the wait for it is longer than maxWait.
func (t *turns) reserve(key string, p apikey.Pace, maxWait time.Duration) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	wait, next := turn(t.until[key].Sub(now), p)
	if wait > maxWait {
		return wait, false
	}
	if t.until == nil {
		t.until = map[string]time.Time{}
	}
	t.until[key] = now.Add(next)
	return wait, true
}

// reserve is the same in Redis, with its clock, in microseconds. It returns the wait,
// whether the turn was taken, and whether the key had a value that no replica wrote there: one
// of another type, or more than a day ahead. Such a value counts for nothing and is replaced.
//
// The library redis_rate has this algorithm but reserves no turns: callers who wait would
// have to ask again and again, in no order. Its keys cannot begin with our prefix either.
var reserve = redis.NewScript(`
local interval, burst, max_wait = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local stored, last, foreign = redis.pcall("GET", KEYS[1]), 0, 0
if stored then
	last = type(stored) == "string" and tonumber(stored) or nil
	if not last or not (last <= now + 86400000000) then
		last, foreign = 0, 1
	end
end
local used = math.max(last, now) + interval
local wait = math.max(used - burst * interval - now, 0)
if wait > max_wait then
	return {wait, 0, foreign}
end
redis.call("SET", KEYS[1], string.format("%.0f", used), "PX", math.ceil((used - now) / 1000))
return {wait, 1, foreign}
`)

// Reserve takes the next turn of key.
func (r *Redis) Reserve(ctx context.Context, key string, p apikey.Pace) (time.Duration, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	stored := r.prefix + "pace:" + key
	answer, err := reserve.Run(ctx, r.client, []string{stored},
		p.Interval.Microseconds(), p.Burst, p.MaxWait.Microseconds()).Int64Slice()
	if err != nil {
		return 0, false, fmt.Errorf("redis: pace: %w", err)
	}
	if len(answer) != 3 {
		return 0, false, fmt.Errorf("redis: pace: want three numbers, got %d", len(answer))
	}
	if answer[2] == 1 {
		r.log.WarnContext(ctx, "a key in Redis had a value of another type, and was replaced; does another program use it?", "redis_key", stored)
	}
	return time.Duration(answer[0]) * time.Microsecond, answer[1] == 1, nil
}

// Reserve takes the next turn of key, from Redis or, while that fails, from memory, which
// also counts the turns that Redis gave to this replica.
func (f *Fallback) Reserve(ctx context.Context, key string, p apikey.Pace) (time.Duration, bool, error) {
	if !f.degraded.Load() {
		wait, ok, err := f.redis.Reserve(ctx, key, p)
		if ok {
			f.memory.turns.reserve(key, p, math.MaxInt64)
		}
		if err == nil || ctx.Err() != nil {
			return wait, ok, err
		}
		f.degrade(err)
	}
	f.countMemory()
	return f.memory.Reserve(ctx, key, p)
}
