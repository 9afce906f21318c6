package tracing

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	maxQueue = 4096            // spans that wait, some 2 MB
	maxBatch = 512             // spans in one post
	maxDelay = 2 * time.Second // how long a span waits for others
	maxPause = 30 * time.Second
	// tries is how often spans are posted, while the collector does not answer or says that it will
	// take them later.
	tries = 3
)

// queue has the spans that wait. One goroutine sends them.
type queue struct {
	sender *sender
	count  func(result string, spans int)

	mu      sync.Mutex
	waiting []*Span
	closed  bool

	full    chan struct{} // has a value once there are maxBatch spans
	closing chan struct{} // closed by close
	ended   chan struct{} // closed when no post is in progress any more
	stop    context.CancelFunc
}

func newQueue(s *sender, count func(string, int)) *queue {
	ctx, stop := context.WithCancel(context.Background())
	q := &queue{sender: s, count: count, full: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}), stop: stop}
	go q.run(ctx)
	return q
}

// add adds a span, or drops it if too many wait.
func (q *queue) add(s *Span) {
	q.mu.Lock()
	n := len(q.waiting)
	fits := !q.closed && n < maxQueue
	if fits {
		q.waiting = append(q.waiting, s)
	}
	q.mu.Unlock()
	switch {
	case !fits:
		q.count(Dropped, 1)
	case n+1 >= maxBatch:
		select {
		case q.full <- struct{}{}:
		default:
		}
	}
}

// take returns the spans of the next post.
func (q *queue) take() []*Span {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxBatch)
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

// run sends spans until closing is closed and all are sent, or ctx ends.
func (q *queue) run(ctx context.Context) {
	defer close(q.ended)
	tick := time.NewTicker(maxDelay)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-tick.C:
		case <-q.full:
		case <-q.closing:
			last = true
		}
		for batch := q.take(); len(batch) > 0; batch = q.take() {
			q.send(ctx, batch)
		}
	}
}

// send posts a batch, and again after a pause if that may help.
func (q *queue) send(ctx context.Context, batch []*Span) {
	rejected := len(batch)
	for try := 1; ; try++ {
		n, err := q.sender.post(ctx, batch)
		q.sender.report(err)
		if err == nil {
			rejected = min(n, rejected)
			break
		}
		var f *failure
		if try == tries || !errors.As(err, &f) || !f.again || !q.pause(ctx, max(f.after, time.Duration(try)*time.Second)) {
			break
		}
	}
	q.count(Sent, len(batch)-rejected)
	q.count(Failed, rejected)
}

// pause waits for d, and reports whether there is time for another try. At the end of the program
// there is not: the collector gets one chance.
func (q *queue) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(min(d, maxPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-q.closing:
	case <-ctx.Done():
	}
	return false
}

// close sends what waits, until ctx ends. Spans that are added later are dropped.
func (q *queue) close(ctx context.Context) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	close(q.closing)
	stop := context.AfterFunc(ctx, q.stop)
	defer stop()
	<-q.ended
	q.stop()
	q.sender.client.CloseIdleConnections()
}
