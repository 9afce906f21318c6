package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"casbroker/internal/apikey"
)

// RedisRules are the rules of a Redis user that may do all that the broker does with
// Redis, on one server and in a cluster, and nothing else.
const RedisRules = "resetkeys ~cb:* resetchannels &cb:* -@all +ping +select +client|setname " +
	"+get +set +del +expire +incrby +eval +evalsha +time +publish +subscribe +unsubscribe +cluster|slots +command"

// Refusal is returned when Redis answers but refuses the broker's user.
type Refusal struct {
	Err error
	// Remedy is what the operator must do.
	Remedy string
}

func (r *Refusal) Error() string { return r.Err.Error() + "; " + r.Remedy }

func (r *Refusal) Unwrap() error { return r.Err }

// asRefusal returns err as a Refusal if Redis refused the user, else err.
func asRefusal(err error) error {
	if errors.As(err, new(*Refusal)) {
		return err
	}
	text := ""
	if answer, ok := errors.AsType[redis.Error](err); ok {
		text = answer.Error()
	}
	switch {
	case strings.Contains(text, "WRONGPASS"), strings.HasPrefix(text, "ERR AUTH "), strings.HasPrefix(text, "ERR invalid password"):
		return &Refusal{err, "correct the user and password in cache.url; special characters in them are percent-encoded"}
	case strings.HasPrefix(text, "NOAUTH"):
		return &Refusal{err, "put the user, a colon, the password and @ in front of the host in cache.url; without a user it begins with the colon"}
	case strings.Contains(text, "NOPERM"), strings.Contains(text, "ACL failure"), strings.Contains(text, "can't run this command"): // the last two are said of scripts
		return &Refusal{err, "give the Redis user of cache.url the rules that the broker needs: ACL SETUSER <user> " + RedisRules}
	}
	return err
}

// probeKey is the key of Check.
const probeKey = prefix + "probe:check"

// Check does once what the broker does with Redis. It returns a Refusal if Redis refuses
// any of that, and another error if Redis does not answer.
func (r *Redis) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.timeout)
	defer cancel()
	pipe := r.client.Pipeline()
	pipe.Ping(ctx)
	pipe.Del(ctx, probeKey)
	pipe.IncrBy(ctx, probeKey, 1)
	pipe.Expire(ctx, probeKey, time.Minute)
	pipe.Set(ctx, probeKey, 1, time.Minute)
	pipe.Get(ctx, probeKey)
	pipe.Eval(ctx, "return 1", []string{probeKey}) // which a script needs that Redis has not seen yet
	pipe.Publish(ctx, channel("probe"), "")
	commands, err := pipe.Exec(ctx)
	for _, c := range commands { // a refusal says more than the first error
		if refused := asRefusal(c.Err()); errors.As(refused, new(*Refusal)) {
			err = refused
			break
		}
	}
	if err != nil {
		return fmt.Errorf("redis: %w", asRefusal(err))
	}
	if _, _, err := r.Reserve(ctx, "check", apikey.Pace{Interval: time.Millisecond, Burst: 1, MaxWait: time.Hour}); err != nil {
		return asRefusal(err)
	}
	return r.checkSubscribe(ctx)
}

func (r *Redis) checkSubscribe(ctx context.Context) error {
	conn := r.client.Subscribe(ctx, channel("probe"))
	defer func() { _ = conn.Close() }()
	if _, err := conn.ReceiveTimeout(ctx, r.timeout); err != nil {
		return fmt.Errorf("redis: subscribe: %w", asRefusal(err))
	}
	return nil
}

// Time returns the clock of Redis.
func (r *Redis) Time(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.client.Time(ctx).Result()
}

// Time returns the clock of Redis, the zero time while that is not used.
func (f *Fallback) Time(ctx context.Context) (time.Time, error) {
	if f.degraded.Load() {
		return time.Time{}, nil
	}
	return f.redis.Time(ctx)
}

// Check returns why Redis is not used now, or what it refuses; nil if all is well.
func (f *Fallback) Check(ctx context.Context) error {
	if f.degraded.Load() {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.cause
	}
	return f.redis.Check(ctx)
}

// setCause notes and logs why Redis is not used, unless that is known already. The caller
// holds f.mu.
func (f *Fallback) setCause(err error) {
	err = asRefusal(err)
	var now *Refusal
	refused := errors.As(err, &now)
	known := f.cause != nil && errors.As(f.cause, new(*Refusal)) == refused
	f.cause = err
	switch {
	case known:
	case refused:
		f.Log.Error("Redis refuses the broker; using the cache in memory", "error", now.Err, "remedy", now.Remedy)
	default:
		f.Log.Warn("Redis failed; using the cache in memory", "error", err)
	}
}
