package cache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// go-redis would log to standard error the failures that its calls also return.
func init() { logging.Disable() }

// RedisOptions configure a Redis. URL is required.
type RedisOptions struct {
	// URL has one of the forms that newClient documents.
	URL secret.URL
	// Prefix starts every key and channel; "" means DefaultPrefix. It has no braces, which would
	// be taken for the hash tag, and none of * ? [ ] \, which mean something in the rules of a user.
	Prefix string
	// RootCAs are the authorities that may have signed the certificate of a Redis with TLS; nil
	// means the system's.
	RootCAs *x509.CertPool
	// ClientCertificate returns the certificate of this broker when a Redis with TLS asks for
	// one; nil if there is none.
	ClientCertificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	// Timeout bounds each call, including waiting and connecting; 0 means 250 ms.
	Timeout time.Duration
	// PingAfter is how long a subscription may be silent before it is pinged, and then
	// how long it waits for the answer; 0 means 5 s.
	PingAfter time.Duration
	// Now is the clock of the windows; time.Now when nil. Replicas whose clocks differ
	// by d count in different windows for d around the end of each window. Past wrongClock,
	// the clock of Redis counts, as Time has read it.
	Now func() time.Time
	Log *slog.Logger // nil discards
}

// Redis stores tokens and counters for all replicas, on one server, behind Sentinel
// or in a cluster. Take is one round trip, shared with other calls in flight. Windows
// are fixed; those of different owners start at different seconds.
type Redis struct {
	client    redis.UniversalClient
	batches   *batcher
	prefix    string
	timeout   time.Duration
	pingAfter time.Duration
	now       func() time.Time
	behind    atomic.Int64 // what a wrong clock lacks to that of Redis, in seconds
	log       *slog.Logger
}

// NewRedis returns a Redis without connecting, so it works while the server is down.
// It returns an error if the URL is malformed.
func NewRedis(o RedisOptions) (*Redis, error) {
	if o.Timeout <= 0 {
		o.Timeout = 250 * time.Millisecond
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.PingAfter <= 0 {
		o.PingAfter = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return &Redis{
		client: client, batches: newBatcher(client, o.Timeout, o.Log), prefix: o.Prefix, timeout: o.Timeout, pingAfter: o.PingAfter, now: o.Now, log: o.Log,
	}, nil
}

// Take counts hits and returns the token cached under fetch.
func (r *Redis) Take(ctx context.Context, hits []ratelimit.Hit, fetch ratelimit.TokenKey) ([]limiter.Context, []byte, error) {
	if len(hits) == 0 && fetch == (ratelimit.TokenKey{}) {
		return nil, nil, nil
	}
	ctx, span := startSpan(ctx, "redis take")
	defer span.End()
	c := r.batches.newCall()
	r.fill(c, hits, fetch)
	if err := r.batches.do(ctx, c); err != nil {
		span.Fail()
		return nil, nil, fmt.Errorf("redis: %w", err)
	}
	states := make([]limiter.Context, len(hits))
	for i, h := range hits {
		states[i] = state(h.Rate, c.hits[i].count, c.hits[i].ends)
	}
	sealed := c.token
	r.batches.recycle(c)
	return states, sealed, nil
}

func (r *Redis) fill(c *call, hits []ratelimit.Hit, fetch ratelimit.TokenKey) {
	behind := r.behind.Load()
	now := r.now().Unix() + behind
	var user owner // usually the owner of both the first hit and the token
	for i, h := range hits {
		o := ownerOf(h.Who)
		if i == 0 {
			user = o
		}
		start := len(c.keys)
		var ends int64
		c.keys, ends = o.appendWindowKey(c.keys, r.prefix, h, now)
		c.hits = append(c.hits, callHit{key: c.keys[start:], ends: ends - behind, ttl: ends - now + clockSlack})
	}
	if fetch == (ratelimit.TokenKey{}) {
		return
	}
	if fetch.Subject != user.who {
		user = ownerOf(fetch.Subject)
	}
	start := len(c.keys)
	c.keys = user.appendTokenKey(c.keys, r.prefix, fetch.Minutes, fetch.Gateway)
	c.tokenKey = c.keys[start:]
}

// wrongClock is the difference to the clock of Redis from which that counts. A smaller one is within
// the error of reading it, or is mended by NTP.
const wrongClock = 5 * time.Second

// clockSlack is how much longer than its window a counter is stored, in seconds, for
// replicas whose clocks are slow.
const clockSlack = 10

// Token returns the token cached under key, nil if there is none.
func (r *Redis) Token(ctx context.Context, key token.CacheKey) ([]byte, error) {
	_, sealed, err := r.Take(ctx, nil, ratelimit.TokenKey(key))
	return sealed, err
}

// KeepToken caches sealed under key for ttl.
func (r *Redis) KeepToken(ctx context.Context, key token.CacheKey, sealed []byte, ttl time.Duration) error {
	if ttl < time.Millisecond { // Redis takes 0 for no expiry
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ctx, span := startSpan(ctx, "redis SET")
	defer span.End()
	o := ownerOf(key.Subject)
	name := string(o.appendTokenKey(nil, r.prefix, key.Minutes, key.Gateway))
	if err := r.client.Set(ctx, name, sealed, ttl).Err(); err != nil {
		span.Fail()
		return fmt.Errorf("redis: cache token: %w", err)
	}
	return nil
}

// Ping returns an error if Redis does not answer.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// findMasters reads the map of a cluster again and returns an error if one of its masters
// does not answer. It does nothing without a cluster.
func (r *Redis) findMasters(ctx context.Context) error {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*r.timeout) // the first nodes that are asked may be down
	defer cancel()
	return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		return master.Ping(ctx).Err()
	})
}

// Close waits for the current batches and closes the connections.
func (r *Redis) Close() error {
	r.batches.close()
	return r.client.Close()
}
