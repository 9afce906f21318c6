package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// relisten is the pause before a connection that was lost is made anew.
const relisten = 200 * time.Millisecond

// channel names the channel of topic. A Redis user has to be allowed those that
// begin with cb:.
func channel(topic string) string { return prefix + topic }

// Publish sends message to all replicas that listen to topic.
func (r *Redis) Publish(ctx context.Context, topic, message string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Publish(ctx, channel(topic), message).Err(); err != nil {
		return fmt.Errorf("redis: publish: %w", err)
	}
	return nil
}

// Subscribe calls hear for each message of topic until ctx ends, and with "" whenever it
// is connected anew.
func (r *Redis) Subscribe(ctx context.Context, topic string, hear func(message string)) {
	pause := time.NewTicker(relisten)
	defer pause.Stop()
	for ctx.Err() == nil {
		r.listen(ctx, topic, hear)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// listen listens until the connection is lost or ctx ends.
func (r *Redis) listen(ctx context.Context, topic string, hear func(message string)) {
	line := r.client.Subscribe(ctx, channel(topic))
	hangUp := func() { _ = line.Close() }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)() // a read does not notice by itself
	for asked := false; ; {
		heard, err := line.ReceiveTimeout(ctx, r.silence)
		var late net.Error
		switch {
		case err == nil:
			asked = false
		case !asked && errors.As(err, &late) && late.Timeout() && line.Ping(ctx) == nil:
			asked = true
			continue
		default:
			return
		}
		switch m := heard.(type) {
		case *redis.Subscription:
			hear("")
		case *redis.Message:
			hear(m.Payload)
		}
	}
}

// Publish does nothing: in its own process a Memory has nobody else to tell.
func (m *Memory) Publish(context.Context, string, string) error { return nil }

// Subscribe returns when ctx ends: there is nobody to hear of.
func (m *Memory) Subscribe(ctx context.Context, _ string, _ func(message string)) { <-ctx.Done() }

// Publish sends message to the replicas that Redis reaches, though memory stands in for
// it: this replica may be the only one that does not reach it.
func (f *Fallback) Publish(ctx context.Context, topic, message string) error {
	return f.redis.Publish(ctx, topic, message)
}

// Subscribe calls hear for each message of topic until ctx ends, and with "" whenever
// Redis is reached anew.
func (f *Fallback) Subscribe(ctx context.Context, topic string, hear func(message string)) {
	f.redis.Subscribe(ctx, topic, hear)
}
