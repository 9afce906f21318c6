package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// batch is what a worker sends at once.
type batch struct {
	calls []*call
	sums  []sum
	at    map[string]int // where in sums a key is
	gets  []*redis.StringCmd
}

// sum is what all calls of a batch add to one key.
type sum struct {
	key    string
	hits   int64
	life   int64 // in seconds
	raised *redis.IntCmd
}

func (b *batch) add(c *call) {
	b.calls = append(b.calls, c)
	for i := range c.hits {
		h := &c.hits[i]
		at, ok := b.at[h.key]
		if !ok {
			at = len(b.sums)
			b.at[h.key] = at
			b.sums = append(b.sums, sum{key: h.key, life: h.life})
		}
		b.sums[at].hits++
		h.sum, h.count = at, b.sums[at].hits
	}
}

// send asks Redis and answers all calls.
func (b *batch) send(ctx context.Context, client redis.UniversalClient) {
	pipe := client.Pipeline()
	for i := range b.sums {
		s := &b.sums[i]
		s.raised = pipe.IncrBy(ctx, s.key, s.hits)
		pipe.Expire(ctx, s.key, time.Duration(s.life)*time.Second)
	}
	for _, c := range b.calls {
		if c.fetch != "" {
			b.gets = append(b.gets, pipe.Get(ctx, c.fetch))
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	gets := b.gets
	for _, c := range b.calls {
		c.err = b.settle(c)
		if c.fetch != "" {
			if err := c.take(gets[0]); c.err == nil {
				c.err = err
			}
			gets = gets[1:]
		}
		c.done <- struct{}{}
	}
}

// settle turns the place of each hit within the batch into its place in the window.
func (b *batch) settle(c *call) error {
	for i := range c.hits {
		h := &c.hits[i]
		s := &b.sums[h.sum]
		if err := s.raised.Err(); err != nil {
			return err
		}
		h.count += s.raised.Val() - s.hits
	}
	return nil
}

func (c *call) take(get *redis.StringCmd) error {
	value, err := get.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	c.value = value
	return err
}

func (b *batch) clear() {
	clear(b.calls) // so that the answered calls can be freed
	clear(b.sums)
	clear(b.gets)
	clear(b.at)
	b.calls, b.sums, b.gets = b.calls[:0], b.sums[:0], b.gets[:0]
}
