package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// resubscribeAfter is the pause before a lost connection is replaced.
const resubscribeAfter = 200 * time.Millisecond

// channel returns the Redis channel of topic. A Redis user needs access to the channels
// that start with the prefix of keys.
func (r *Redis) channel(topic string) string { return r.prefix + topic }

// Publish sends message to all replicas that are subscribed to topic.
func (r *Redis) Publish(ctx context.Context, topic, message string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Publish(ctx, r.channel(topic), message).Err(); err != nil {
		return fmt.Errorf("redis: publish: %w", err)
	}
	return nil
}

// Subscribe calls receive for each message of topic until ctx ends, and with ""
// whenever it has (re)connected.
func (r *Redis) Subscribe(ctx context.Context, topic string, receive func(message string)) {
	pause := time.NewTicker(resubscribeAfter)
	defer pause.Stop()
	refused := false
	for ctx.Err() == nil {
		var refusal *Refusal
		err := r.subscribe(ctx, topic, receive)
		switch {
		case !errors.As(err, &refusal):
			refused = false
		case !refused: // once, not at each attempt
			refused = true
			r.log.ErrorContext(ctx, "Redis refuses the messages between replicas; blocks and revocations are only found by polling",
				"error", refusal.Err, "remedy", refusal.Remedy)
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// subscribe receives messages until the connection is lost or ctx ends. It returns a
// Refusal if Redis refuses the subscription.
func (r *Redis) subscribe(ctx context.Context, topic string, receive func(message string)) error {
	conn := r.client.Subscribe(ctx, r.channel(topic))
	closeConn := func() { _ = conn.Close() }
	defer closeConn()
	defer context.AfterFunc(ctx, closeConn)() // a pending read does not watch ctx
	for pinged := false; ; {
		received, err := conn.ReceiveTimeout(ctx, r.pingAfter)
		var netErr net.Error
		switch {
		case err == nil:
			pinged = false
		case !pinged && errors.As(err, &netErr) && netErr.Timeout() && conn.Ping(ctx) == nil:
			pinged = true
			continue
		default:
			return r.asRefusal(err)
		}
		switch m := received.(type) {
		case *redis.Subscription:
			receive("")
		case *redis.Message:
			receive(m.Payload)
		}
	}
}

// Publish does nothing: a Memory has no other replicas.
func (m *Memory) Publish(context.Context, string, string) error { return nil }

// Subscribe waits until ctx ends: there are no messages.
func (m *Memory) Subscribe(ctx context.Context, _ string, _ func(message string)) { <-ctx.Done() }

// Publish sends message through Redis even while memory is in use: other replicas may
// still reach it.
func (f *Fallback) Publish(ctx context.Context, topic, message string) error {
	return f.redis.Publish(ctx, topic, message)
}

// Subscribe calls receive for each message of topic until ctx ends, and with ""
// whenever it has (re)connected to Redis.
func (f *Fallback) Subscribe(ctx context.Context, topic string, receive func(message string)) {
	f.redis.Subscribe(ctx, topic, receive)
}
