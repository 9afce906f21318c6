package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// go-redis would write lines of its own to standard error, of failures that its
// calls return as well.
func init() { logging.Disable() }

// RedisOptions say where Redis is.
type RedisOptions struct {
	// URL has one of the forms that newClient documents.
	URL secret.URL
	// Timeout bounds each call, waiting and connecting included; 0 means 250 ms.
	Timeout time.Duration
	// Silence is how long a listener waits for a sign of life before it asks for one,
	// and then how long for the answer; 0 means 5 s.
	Silence time.Duration
	// Now is the clock of the windows; time.Now when nil. Replicas whose clocks
	// differ count in different windows for as long as they differ.
	Now func() time.Time
}

// Redis keeps tokens and counts for all replicas, on one server, behind sentinels
// or in a cluster. Take is one round trip, shared with others that are under way.
// Windows are fixed: each owner's begin at a second of their own.
type Redis struct {
	client  redis.UniversalClient
	batches *batcher
	timeout time.Duration
	silence time.Duration
	now     func() time.Time
}

// NewRedis returns a Redis, whether or not there is one at the other end: that is
// for Ping to say. It fails when the URL cannot be understood.
func NewRedis(o RedisOptions) (*Redis, error) {
	if o.Timeout <= 0 {
		o.Timeout = 250 * time.Millisecond
	}
	if o.Silence <= 0 {
		o.Silence = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	client, err := newClient(o.URL.Reveal(), o.Timeout)
	if err != nil {
		return nil, err
	}
	return &Redis{
		client: client, batches: newBatcher(client, o.Timeout), timeout: o.Timeout, silence: o.Silence, now: o.Now,
	}, nil
}

// Take counts hits and returns the token kept under fetch.
func (r *Redis) Take(ctx context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	if len(hits) == 0 && fetch == (ratelimit.TokenKey{}) {
		return nil, nil, nil
	}
	c := r.batches.newCall()
	r.fill(c, hits, fetch)
	if err := r.batches.do(ctx, c); err != nil {
		return nil, nil, fmt.Errorf("redis: %w", err)
	}
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		states[i] = state(h.Rate, c.hits[i].count, c.hits[i].ends)
	}
	value := c.value
	r.batches.recycle(c)
	return states, value, nil
}

func (r *Redis) fill(c *call, hits []ratelimit.Hit, fetch ratelimit.TokenKey) {
	now := r.now().Unix()
	var user owner // the first hit is the user's, as a rule, and so is the token
	for i, h := range hits {
		o := ownerOf(h.Who)
		if i == 0 {
			user = o
		}
		key, ends := o.window(h, now)
		c.hits = append(c.hits, callHit{key: key, ends: ends, life: ends - now + clockSlack})
	}
	if fetch == (ratelimit.TokenKey{}) {
		return
	}
	if fetch.Subject != user.who {
		user = ownerOf(fetch.Subject)
	}
	c.fetch = user.token(fetch.Minutes)
}

// clockSlack is how much longer than its window a count is kept, in seconds, for
// replicas whose clocks are behind.
const clockSlack = 10

// Token returns what is kept under key, nil if nothing is.
func (r *Redis) Token(ctx context.Context, key token.CacheKey) ([]byte, error) {
	_, value, err := r.Take(ctx, nil, ratelimit.TokenKey(key))
	return value, err
}

// KeepToken keeps sealed under key for life.
func (r *Redis) KeepToken(ctx context.Context, key token.CacheKey, sealed []byte, life time.Duration) error {
	if life < time.Millisecond { // for Redis 0 is forever
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	o := ownerOf(key.Subject)
	if err := r.client.Set(ctx, o.token(key.Minutes), sealed, life).Err(); err != nil {
		return fmt.Errorf("redis: keep token: %w", err)
	}
	return nil
}

// Ping asks Redis for a sign of life.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Close ends the connections.
func (r *Redis) Close() error {
	r.batches.close()
	return r.client.Close()
}
