package upstream

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breaking is how the breaker stands.
type Breaking string

// The ways in which it stands.
const (
	Closed   Breaking = "closed"    // calls go to the vendor
	Open     Breaking = "open"      // none do, until Breaker.OpenFor is over
	HalfOpen Breaking = "half_open" // the next one tries whether the vendor is back
)

// State is how the vendor seemed when it was last called.
type State struct {
	Breaker Breaking
	// Last is how the last attempt ended that tells of the vendor, as Options.Observe
	// says it; "" when there was none.
	Last string
	At   time.Time // when that was
}

// Well reports whether calls go to the vendor and the last one did not show it ill. A
// vendor that was not called yet is taken to be well.
func (s State) Well() bool {
	return s.Breaker == Closed && (s.Last == "" || s.Last == outcomeOK)
}

// lastCall is the end of an attempt.
type lastCall struct {
	outcome string
	at      time.Time
}

// State returns how the vendor seems. It calls nobody.
func (c *Client) State() State {
	s := State{Breaker: Closed}
	switch c.breaker.State() {
	case gobreaker.StateOpen:
		s.Breaker = Open
	case gobreaker.StateHalfOpen:
		s.Breaker = HalfOpen
	case gobreaker.StateClosed:
	}
	if last := c.last.Load(); last != nil {
		s.Last, s.At = last.outcome, last.at
	}
	return s
}

// ended takes note of how an attempt ended. A caller who left tells nothing.
func (c *Client) ended(outcome string, took time.Duration) {
	if outcome != outcomeCanceled {
		c.last.Store(&lastCall{outcome, c.opts.Now()})
	}
	c.opts.Observe(outcome, took)
}
