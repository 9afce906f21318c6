package upstream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

var errBreakerOpen = errors.New("not called: the breaker is open after repeated failures")

func (c *Client) newBreaker() *gobreaker.CircuitBreaker[answer] {
	return gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
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
		// A refusal shows that the vendor is well; a caller who leaves shows nothing, and
		// what is asked for a page must not stop the tokens.
		IsSuccessful: func(err error) bool {
			var f *failure
			return err == nil || errors.As(err, &f) && !f.ill
		},
		IsExcluded: func(err error) bool {
			var f *failure
			return errors.As(err, &f) && (f.outcome == outcomeCanceled || f.aside)
		},
	})
}

// guarded makes one attempt, unless the breaker is open. Its errors are failures.
func (c *Client) guarded(ctx context.Context, r request) (answer, *failure) {
	a, err := c.breaker.Execute(func() (answer, error) {
		began := time.Now()
		a, f := c.attempt(ctx, r)
		if f != nil {
			f.aside = r.aside
			c.ended(f.outcome, time.Since(began))
			return a, f
		}
		c.ended(outcomeOK, time.Since(began))
		return a, nil
	})
	var f *failure
	if err == nil || errors.As(err, &f) {
		return a, f
	}
	c.opts.Observe(outcomeBreaker, 0)
	return a, &failure{fault: ErrUnavailable, outcome: outcomeBreaker, wait: c.openFor(), cause: errBreakerOpen}
}

// openFor is how long the breaker stays open from now on, 1 s at least, so that
// it is not asked again while another call is trying whether the vendor is back.
func (c *Client) openFor() time.Duration {
	open := c.opts.Now().Sub(time.UnixMilli(c.opened.Load()))
	return min(max(c.opts.Breaker.OpenFor-open, time.Second), max(c.opts.Breaker.OpenFor, time.Second))
}
