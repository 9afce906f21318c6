package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	batchWorkers = 2   // so that one slow answer does not hold up everybody
	batchSize    = 256 // calls
)

var errClosed = errors.New("closed")

// batcher sends calls that are under way at the same time in one pipeline, in which
// counts that several of them share, such as the one of everybody together, are
// raised once. Nobody waits for a batch to fill: what comes in while a worker waits
// for Redis makes up its next one. A caller who goes away leaves the others alone.
type batcher struct {
	client  redis.UniversalClient
	timeout time.Duration
	queue   chan *call
	closed  chan struct{}
	closing sync.Once
	workers sync.WaitGroup
	calls   sync.Pool
}

// call is one Take on its way. Once queued it belongs to the worker until done.
type call struct {
	hits  []callHit
	fetch string // a key, "" for none
	since time.Time

	value []byte
	err   error
	done  chan struct{}
}

type callHit struct {
	key  string
	ends int64 // of the window, in unix seconds
	life int64 // of the key, in seconds

	sum   int   // where in the batch it is added up
	count int64 // in its window, this hit included
}

func newBatcher(client redis.UniversalClient, timeout time.Duration) *batcher {
	b := &batcher{
		client: client, timeout: timeout,
		queue: make(chan *call, batchSize), closed: make(chan struct{}),
		calls: sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }},
	}
	for range batchWorkers {
		b.workers.Go(b.work)
	}
	return b
}

func (b *batcher) newCall() *call {
	return b.calls.Get().(*call) //nolint:errcheck // the pool holds nothing else
}

// recycle takes back a call that do returned nil for.
func (b *batcher) recycle(c *call) {
	c.hits, c.fetch, c.value = c.hits[:0], "", nil
	b.calls.Put(c)
}

// do returns when c was answered, and with an error when that takes longer than
// the timeout, ctx ends or the batcher is closed.
func (b *batcher) do(ctx context.Context, c *call) error {
	c.since = time.Now()
	select {
	case b.queue <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.closed:
		return errClosed
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.closed:
		return errClosed
	}
}

func (b *batcher) work() {
	next := batch{at: map[string]int{}}
	for {
		select {
		case c := <-b.queue:
			next.add(c)
		case <-b.closed:
			return
		}
		b.collect(&next)
		// The batch has as long as the call that waited longest has left.
		ctx, cancel := context.WithDeadline(context.Background(), next.calls[0].since.Add(b.timeout))
		next.send(ctx, b.client)
		cancel()
		next.clear()
	}
}

// collect adds what is queued already.
func (b *batcher) collect(next *batch) {
	for len(next.calls) < batchSize {
		select {
		case c := <-b.queue:
			next.add(c)
		default:
			return
		}
	}
}

// close ends the workers, after the batches that they are at.
func (b *batcher) close() {
	b.closing.Do(func() { close(b.closed) })
	b.workers.Wait()
}
