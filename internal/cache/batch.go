package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// batch is the calls that one pipeline answers.
type batch struct {
	calls    []*call
	counters []counter
	index    map[string]int // of each key in counters
	gets     []*redis.StringCmd
	failed   error // of a pipeline, also if it is of none of its commands
}

// counter is a key that calls of a batch count against.
type counter struct {
	key  any // a string: an argument of commands
	hits int64
	ttl  int64 // in seconds
	incr incrBy
}

// incrBy is an INCRBY that go-redis does not send again after its connection broke,
// as it otherwise does in a cluster: the first one may have been executed.
type incrBy struct{ *redis.IntCmd }

func (incrBy) NoRetry() bool { return true }

func newIncrBy(ctx context.Context, key any, n int64) incrBy {
	return incrBy{redis.NewIntCmd(ctx, "incrby", key, n)}
}

func (b *batch) add(c *call) {
	b.calls = append(b.calls, c)
	for i := range c.hits {
		h := &c.hits[i]
		at, ok := b.index[string(h.key)]
		if !ok {
			key := string(h.key)
			at = len(b.counters)
			b.index[key] = at
			b.counters = append(b.counters, counter{key: key, ttl: h.ttl})
		}
		b.counters[at].hits++
		h.counter, h.count = at, b.counters[at].hits
	}
}

// send executes the batch in one pipeline and completes its calls. Keys with a value of a
// wrong type take a second one.
func (b *batch) send(ctx context.Context, client redis.UniversalClient, log *slog.Logger) {
	pipe := client.Pipeline()
	for i := range b.counters {
		b.counters[i].queue(ctx, pipe)
	}
	for _, c := range b.calls {
		if len(c.tokenKey) > 0 {
			get := redis.NewStringCmd(ctx, "get", c.tokenKey)
			_ = pipe.Process(ctx, get) // only queues it
			b.gets = append(b.gets, get)
		}
	}
	_, b.failed = pipe.Exec(ctx) // each command has its own error, unless Redis refused to connect (WRONGPASS)
	b.repair(ctx, client, log)
	gets := b.gets
	for _, c := range b.calls {
		c.err = b.setCounts(c)
		if len(c.tokenKey) > 0 {
			if err := c.setToken(gets[0], b.failed); c.err == nil {
				c.err = err
			}
			gets = gets[1:]
		}
		c.done <- struct{}{}
	}
}

// queue adds the commands that count the hits to pipe.
func (n *counter) queue(ctx context.Context, pipe redis.Pipeliner) {
	n.incr = newIncrBy(ctx, n.key, n.hits)
	_ = pipe.Process(ctx, n.incr) // only queues it
	_ = pipe.Process(ctx, redis.NewBoolCmd(ctx, "expire", n.key, n.ttl))
}

// repair deletes keys whose value is of a wrong type, whoever wrote it, and counts the hits
// of such counters again, from zero. So a wrong value costs its key, not the use of Redis.
func (b *batch) repair(ctx context.Context, client redis.UniversalClient, log *slog.Logger) {
	var pipe redis.Pipeliner
	replace := func(key any, err error) {
		if pipe == nil {
			pipe = client.Pipeline()
		}
		pipe.Do(ctx, "del", key)
		log.WarnContext(ctx, "a key in Redis has a value of another type, and is deleted; does another program use it?", "redis_key", fmt.Sprintf("%s", key), "error", err)
	}
	for i := range b.counters {
		n := &b.counters[i]
		if err := n.incr.Err(); isWrongValue(err) {
			replace(n.key, err)
			n.queue(ctx, pipe)
		}
	}
	for _, get := range b.gets {
		if err := get.Err(); isWrongValue(err) {
			replace(get.Args()[1], err)
		}
	}
	if pipe != nil {
		_, b.failed = pipe.Exec(ctx)
	}
}

// isWrongValue reports whether Redis answered that the value of a key is not one that the
// command works on. HasErrorPrefix allocates, also for nil.
func isWrongValue(err error) bool {
	return err != nil && (redis.HasErrorPrefix(err, "WRONGTYPE") || // HasErrorPrefix drops "ERR "
		redis.HasErrorPrefix(err, "value is not an integer") || redis.HasErrorPrefix(err, "increment or decrement would overflow"))
}

// setCounts turns the count of each hit within the batch into its count in the window.
func (b *batch) setCounts(c *call) error {
	for i := range c.hits {
		h := &c.hits[i]
		n := &b.counters[h.counter]
		if err := n.incr.Err(); err != nil {
			return err
		}
		if n.incr.Val() == 0 && b.failed != nil && !errors.Is(b.failed, redis.Nil) { // it was not executed
			return b.failed
		}
		h.count += n.incr.Val() - n.hits
	}
	return nil
}

// setToken sets the token that get returned. failed is the error of the whole pipeline: that
// of a get which was not executed. No token is empty.
func (c *call) setToken(get *redis.StringCmd, failed error) error {
	value, err := get.Bytes()
	switch {
	case errors.Is(err, redis.Nil) || isWrongValue(err):
		return nil
	case err == nil && len(value) == 0 && failed != nil && !errors.Is(failed, redis.Nil):
		return failed
	}
	c.token = value
	return err
}

func (b *batch) reset() {
	clear(b.calls) // so that completed calls can be freed
	clear(b.counters)
	clear(b.gets)
	clear(b.index)
	b.failed = nil
	b.calls, b.counters, b.gets = b.calls[:0], b.counters[:0], b.gets[:0]
}
