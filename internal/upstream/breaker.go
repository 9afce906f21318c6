package upstream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

var errBreakerOpen = errors.New("not called: the breaker is open after repeated failures")

// BreakerState is the state of the circuit breaker.
type BreakerState string

// The breaker's states.
const (
	Closed   BreakerState = "closed"    // calls go to the vendor
	Open     BreakerState = "open"      // no calls go to the vendor until Breaker.OpenFor is over
	HalfOpen BreakerState = "half_open" // the next call tests whether the vendor is back
)

// State describes the vendor as of the last attempt.
type State struct {
	Breaker BreakerState
	// LastOutcome is the outcome of the last attempt, one of those listed at
	// Options.Observe. It is "" before the first attempt. Attempts canceled by the
	// caller are not counted.
	LastOutcome string
	At          time.Time // of LastOutcome
}

// Healthy reports whether the breaker is closed and the last attempt succeeded. A vendor
// that has not been called yet counts as healthy.
func (s State) Healthy() bool {
	return s.Breaker == Closed && (s.LastOutcome == "" || s.LastOutcome == outcomeOK)
}

// lastAttempt is the outcome of an attempt and when it ended.
type lastAttempt struct {
	outcome string
	at      time.Time
}

// State returns the state of the vendor without calling it.
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
		s.LastOutcome, s.At = last.outcome, last.at
	}
	return s
}

// record stores and observes the outcome of an attempt. An attempt canceled by the
// caller says nothing about the vendor and is only observed.
func (c *Client) record(outcome string, took time.Duration) {
	if outcome != outcomeCanceled {
		c.last.Store(&lastAttempt{outcome, c.opts.Now()})
	}
	c.opts.Observe(outcome, took)
}

func (c *Client) newBreaker() *gobreaker.CircuitBreaker[response] {
	return gobreaker.NewCircuitBreaker[response](gobreaker.Settings{
		Name:    "upstream",
		Timeout: c.opts.Breaker.OpenFor,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return int(n.ConsecutiveFailures) >= c.opts.Breaker.Failures
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			level := slog.LevelInfo
			if to == gobreaker.StateOpen {
				c.opened.Store(c.opts.Now().UnixMilli())
				level = slog.LevelWarn
			}
			c.opts.Log.Log(context.Background(), level, "upstream breaker changed",
				"from", from.String(), "to", to.String())
		},
		// A refusal such as 401 shows that the vendor works.
		IsSuccessful: func(err error) bool {
			var f *failure
			return err == nil || errors.As(err, &f) && !f.tripsBreaker
		},
		// An attempt canceled by the caller says nothing about the vendor. Calls that a
		// page makes must not stop the minting of tokens.
		IsExcluded: func(err error) bool {
			var f *failure
			return errors.As(err, &f) && (f.outcome == outcomeCanceled || f.excluded)
		},
	})
}

// guarded makes one attempt, unless the breaker is open.
func (c *Client) guarded(ctx context.Context, req request) (response, *failure) {
	res, err := c.breaker.Execute(func() (response, error) {
		start := time.Now()
		res, f := c.attempt(ctx, req)
		if f != nil {
			f.excluded = req.excluded
			c.record(f.outcome, time.Since(start))
			return res, f
		}
		c.record(outcomeOK, time.Since(start))
		return res, nil
	})
	var f *failure
	if err == nil || errors.As(err, &f) {
		return res, f
	}
	c.opts.Observe(outcomeBreaker, 0)
	return res, &failure{fault: ErrUnavailable, outcome: outcomeBreaker, retryAfter: c.openFor(), cause: errBreakerOpen}
}

// openFor returns how long the breaker stays open from now on. It is at least 1 s, so
// that callers do not come back while another call is testing the vendor.
func (c *Client) openFor() time.Duration {
	open := c.opts.Now().Sub(time.UnixMilli(c.opened.Load()))
	return min(max(c.opts.Breaker.OpenFor-open, time.Second), max(c.opts.Breaker.OpenFor, time.Second))
}
