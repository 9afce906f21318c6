package upstream

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"casbroker/internal/apikey"
)

var errBreakerOpen = errors.New("not called: the breaker is open after repeated failures")

// BreakerState is the state of the circuit breaker.
type BreakerState string

// The breaker's states.
const (
	Closed   BreakerState = "closed"    // calls go to the vendor
	Open     BreakerState = "open"      // no calls go to the vendor for a while
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

// Health is how the vendor does, as all its callers see it: a circuit breaker and the last
// outcome. It is safe for concurrent use.
type Health struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	last    atomic.Pointer[lastAttempt]
	now     func() time.Time

	maxPause  time.Duration // longest time for which the breaker is open
	pause     time.Duration // of the last time; guarded by the breaker, as is the order of until
	openUntil atomic.Pointer[time.Time]
	opening   atomic.Pointer[chan struct{}] // closed when the breaker opens next
}

// firstPause is how long the breaker is open at first. Each test that fails doubles it.
const firstPause = time.Second

// lastAttempt is the outcome of an attempt and when it ended.
type lastAttempt struct {
	outcome string
	at      time.Time
}

// Causes for the breaker.
var (
	errFailure  = errors.New("the vendor failed")
	errExcluded = errors.New("the outcome says nothing of the vendor")
)

func newHealth(b Breaker, now func() time.Time, log *slog.Logger) *Health {
	h := &Health{maxPause: b.OpenFor, now: now}
	h.opening.Store(new(make(chan struct{})))
	h.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:    "upstream",
		Timeout: min(firstPause, b.OpenFor), // Health makes it longer
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return int(n.ConsecutiveFailures) >= b.Failures
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				h.open()
				log.Warn("upstream breaker changed", "from", from.String(), "to", to.String(), "for", h.pause.String())
				return
			case gobreaker.StateClosed:
				h.pause = 0
			case gobreaker.StateHalfOpen:
			}
			log.Info("upstream breaker changed", "from", from.String(), "to", to.String())
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
	})
	return h
}

// open begins a pause: the first one, or twice the one before.
func (h *Health) open() {
	h.pause = min(max(2*h.pause, firstPause), h.maxPause)
	until := time.Now().Add(h.pause)
	h.openUntil.Store(&until)
	close(*h.opening.Swap(new(make(chan struct{}))))
}

// left returns how long the pause still lasts. It may be negative.
func (h *Health) left() time.Duration {
	if until := h.openUntil.Load(); until != nil {
		return time.Until(*until)
	}
	return 0
}

// Health returns how the vendor does, for others that call it too.
func (c *Client) Health() *Health { return c.health }

// State returns the state of the vendor without calling it.
func (c *Client) State() State { return c.health.State() }

// State returns the state of the vendor without calling it.
func (h *Health) State() State {
	s := State{Breaker: h.breakerState()}
	if last := h.last.Load(); last != nil {
		s.LastOutcome, s.At = last.outcome, last.at
	}
	return s
}

func (h *Health) breakerState() BreakerState {
	if h.left() > 0 { // the breaker's own timeout is shorter
		return Open
	}
	switch h.breaker.State() {
	case gobreaker.StateOpen:
		return Open
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return Closed
	}
}

// Allow returns how long no calls are made, because the breaker is open. If that is 0, the
// caller must call done once, with one of the outcomes listed at Options.Observe: "failed",
// "timeout", "unreachable" and "bad_answer" count towards opening the breaker, "canceled" is
// ignored, and others, refusals too, show that the vendor works.
func (h *Health) Allow() (done func(outcome string), wait time.Duration) {
	if h.left() > 0 {
		return nil, h.untilClosed()
	}
	end, err := h.breaker.Allow()
	if err != nil {
		return nil, h.untilClosed()
	}
	return func(outcome string) {
		h.record(outcome)
		end(breakerError(outcome))
	}, 0
}

// breakerError returns what an outcome means for the breaker; nil is success.
func breakerError(outcome string) error {
	switch outcome {
	case outcomeFailed, outcomeTimeout, outcomeUnreachable, outcomeBadAnswer:
		return errFailure
	case outcomeCanceled:
		return errExcluded
	default:
		return nil
	}
}

// record stores the outcome of an attempt. One that was canceled by the caller says nothing
// about the vendor.
func (h *Health) record(outcome string) {
	if outcome != outcomeCanceled {
		h.last.Store(&lastAttempt{outcome, h.now()})
	}
}

// untilClosed returns how long the breaker stays open from now on. It is at least 1 s, so
// that callers do not come back while another call is testing the vendor.
func (h *Health) untilClosed() time.Duration {
	return max(h.left(), time.Second)
}

// guarded makes one attempt, unless the breaker is open. If the vendor refuses the key, it
// makes another with another key.
func (c *Client) guarded(ctx context.Context, req request) (response, *failure) {
	var res response
	var refused *failure
	for except := ""; ; {
		opening := c.health.opening.Load()
		if c.health.State().Breaker == Open { // before a turn is taken
			return res, c.breakerFailure()
		}
		key, err := c.awaitKey(ctx, *opening, req, except)
		switch {
		case errors.Is(err, errBreakerOpen):
			return res, c.breakerFailure()
		case refused != nil && (err != nil || key.Name == except):
			return res, refused
		case err != nil:
			return res, keyFailure(ctx, err)
		}
		var f *failure
		if res, f = c.measured(ctx, req, key); f == nil || !f.aboutKey {
			return res, f
		}
		refused, except = f, key.Name
	}
}

// measured makes one attempt with key, and reports its outcome.
func (c *Client) measured(ctx context.Context, req request, key *apikey.Key) (response, *failure) {
	done, wait := c.health.Allow()
	if wait > 0 {
		return response{}, c.breakerFailure()
	}
	start := time.Now()
	ctx, span := startSpan(ctx, req)
	res, f := c.attempt(ctx, req, key)
	outcome := outcomeOK
	if f != nil {
		outcome, f.keyName = f.outcome, key.Name
	}
	endSpan(span, res, outcome)
	c.opts.Observe(outcome, time.Since(start))
	if f != nil && req.excluded {
		// Calls that a page makes must not stop the minting of tokens.
		c.health.record(outcome)
		outcome = outcomeCanceled
	}
	done(outcome)
	return res, f
}

func (c *Client) breakerFailure() *failure {
	c.opts.Observe(outcomeBreaker, 0)
	return &failure{fault: ErrUnavailable, outcome: outcomeBreaker, retryAfter: c.health.untilClosed(), cause: errBreakerOpen}
}
