package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"casbroker/internal/fault"
)

// closeTimeout bounds how long Close waits for the calls that it breaks off.
const closeTimeout = 5 * time.Second

var errStopping = fault.New(fault.Unavailable, "stopping", "The service is restarting; try again in some seconds.").After(5 * time.Second)

// calls are those in progress. The zero value has none.
type calls struct {
	mu      sync.Mutex
	closed  bool
	cancels map[int]context.CancelCauseFunc
	next    int
	all     sync.WaitGroup
}

// begin adds a call, which Close breaks off with cancel. The caller must call ended when
// the call is over. After Close it returns errStopping.
func (v *Vendor) begin(cancel context.CancelCauseFunc) (ended func(), err error) {
	c := &v.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errStopping
	}
	if c.cancels == nil {
		c.cancels = map[int]context.CancelCauseFunc{}
	}
	id := c.next
	c.next++
	c.cancels[id] = cancel
	c.all.Add(1)
	return func() {
		c.mu.Lock()
		delete(c.cancels, id)
		c.mu.Unlock()
		c.all.Done()
	}, nil
}

// Close breaks off the calls in progress, waits until they are over, and closes the
// connections to the vendor. Calls that began before the server drained have ended by
// then, but for those that went on without their callers.
func (v *Vendor) Close() error {
	c := &v.calls
	c.mu.Lock()
	c.closed = true
	for _, cancel := range c.cancels {
		cancel(errStopping)
	}
	c.mu.Unlock()
	over := make(chan struct{})
	go func() {
		c.all.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(closeTimeout):
	}
	(&http.Client{Transport: v.transport}).CloseIdleConnections()
	return nil
}
