package server

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// closeWhenStopping has answers close their connections once the server is stopping, so that no
// caller is about to use one again when it is closed.
func (h *health) closeWhenStopping(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			if h.stopping.Load() {
				c.Response().Header().Set("Connection", "close")
			}
		})
		return next(c)
	}
}

const (
	// idleGrace is for how long nothing must have come on a connection that is closed when the
	// server stops: its owner may be about to send a request.
	idleGrace = time.Second
	// drainPoll is how often drain looks at the connections.
	drainPoll = 5 * time.Millisecond
)

// connections are those that are open.
type connections struct {
	mu      sync.Mutex
	changed map[net.Conn]connection
}

// connection is the state of a connection, and since when it has that.
type connection struct {
	state http.ConnState
	since time.Time
}

// set is the ConnState of the server.
func (s *connections) set(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(s.changed, c)
		return
	}
	s.changed[c] = connection{state, time.Now()}
}

// drain waits until no request is in progress and nothing has come on any connection for
// grace. It returns false if that is not so within limit.
func (s *connections) drain(grace, limit time.Duration) bool {
	end := time.After(limit)
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for !s.quiet(time.Now().Add(-grace)) {
		select {
		case <-tick.C:
		case <-end:
			return !s.active()
		}
	}
	return true
}

// quiet reports whether no request is in progress and nothing has changed since a time.
func (s *connections) quiet(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changed {
		if c.state == http.StateActive || c.since.After(since) {
			return false
		}
	}
	return true
}

// active reports whether a request is in progress.
func (s *connections) active() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changed {
		if c.state == http.StateActive {
			return true
		}
	}
	return false
}
