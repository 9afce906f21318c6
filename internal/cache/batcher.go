package cache

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	batchWorkers = 2   // the second works while an answer to the first takes longer than slowAnswer
	batchSize    = 256 // calls
	slowAnswer   = time.Millisecond
)

var errClosed = errors.New("closed")

// batcher sends calls that are in flight at the same time in one pipeline, in which
// each counter is incremented once, whatever the number of calls that share it. It
// does not wait for a batch to fill: calls that arrive while a worker waits for Redis
// form its next batch. A caller that gives up does not affect the others.
type batcher struct {
	client  redis.UniversalClient
	timeout time.Duration
	log     *slog.Logger
	queue   chan *call
	turn    chan struct{} // is full while a worker has the turn
	closed  chan struct{}
	closing sync.Once
	workers sync.WaitGroup
	calls   sync.Pool
}

// call is one Take in flight. Once queued it belongs to the worker until done.
type call struct {
	hits     []callHit
	tokenKey []byte // empty if no token is fetched
	keys     []byte // of hits and the token
	queued   time.Time

	token []byte
	err   error
	done  chan struct{}
}

type callHit struct {
	key  []byte
	ends int64 // when the window ends, in unix seconds
	ttl  int64 // of the key, in seconds

	counter int   // its index in batch.counters
	count   int64 // of its window, including this hit
}

func newBatcher(client redis.UniversalClient, timeout time.Duration, log *slog.Logger) *batcher {
	b := &batcher{
		client: client, timeout: timeout, log: log,
		queue: make(chan *call, batchSize), turn: make(chan struct{}, 1), closed: make(chan struct{}),
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

// recycle takes back a call for which do returned nil.
func (b *batcher) recycle(c *call) {
	c.hits, c.tokenKey, c.keys, c.token = c.hits[:0], nil, c.keys[:0], nil
	b.calls.Put(c)
}

// do returns once c is answered. It returns an error if that takes longer than the
// timeout, ctx ends or the batcher is closed; c must not be used after that.
func (b *batcher) do(ctx context.Context, c *call) error {
	c.queued = time.Now()
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

// work sends batches. Workers take turns, since fewer and larger batches cost less, but one slow
// answer must not delay every call: a worker gives up its turn when it has the answer to its
// batch, or after slowAnswer.
func (b *batcher) work() {
	next := batch{index: map[string]int{}}
	for {
		b.turn <- struct{}{}
		select {
		case c := <-b.queue:
			next.add(c)
		case <-b.closed:
			<-b.turn
			return
		}
		runtime.Gosched() // calls of the goroutines that can run now join the batch
		b.collect(&next)
		slow := time.AfterFunc(slowAnswer, func() { <-b.turn })
		// The deadline is that of the call that was queued first.
		ctx, cancel := context.WithDeadline(context.Background(), next.calls[0].queued.Add(b.timeout))
		next.send(ctx, b.client, b.log)
		cancel()
		if slow.Stop() {
			<-b.turn
		}
		next.reset()
	}
}

// collect adds the calls that are already queued.
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

// close stops the workers after their current batches.
func (b *batcher) close() {
	b.closing.Do(func() { close(b.closed) })
	b.workers.Wait()
}
