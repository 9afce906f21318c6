package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"casbroker/internal/telemetry"
)

// request is what one call sends, in every attempt the same.
type request struct {
	method, path string
	body         []byte // JSON; nil for none
	id           string // sent as X-Request-ID
	aside        bool   // nothing depends on it: its failures do not open the breaker
}

// Why an attempt was ended by us; the caller's own reasons are others.
var (
	errTimeout  = errors.New("no whole answer within upstream.timeout")
	errDeadline = errors.New("no answer within the deadline of all attempts")
)

// do makes one call, in as many attempts as it takes and is allowed. It is the
// path of every call; its errors are faults of kind Unavailable.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	if r.id = telemetry.RequestID(ctx); !telemetry.ValidRequestID(r.id) {
		r.id = telemetry.NewRequestID()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Deadline, errDeadline)
	defer cancel()
	deadline, _ := ctx.Deadline() // the caller's, when it is earlier
	var failed *failure
	pace := c.newPace()
	a, err := backoff.Retry(ctx, func() (answer, error) {
		var a answer
		if a, failed = c.guarded(ctx, r); failed == nil {
			return a, nil
		}
		if !failed.again {
			return a, backoff.Permanent(failed)
		}
		pace.atLeast = failed.wait
		return a, failed
	},
		backoff.WithBackOff(pace),
		backoff.WithMaxTries(uint(c.opts.Attempts)),
		backoff.WithMaxElapsedTime(time.Until(deadline)),
		backoff.WithNotify(func(err error, pause time.Duration) {
			c.opts.Log.WarnContext(ctx, "upstream call failed, trying again",
				"path", r.path, "error", err, "pause", pause, "upstream_request_id", failed.requestID)
		}),
	)
	if err == nil {
		return a, nil
	}
	return a, c.toFault(ctx, failed)
}

// toFault is what the caller gets for the last failure.
func (c *Client) toFault(ctx context.Context, f *failure) error {
	if cause := context.Cause(ctx); cause != nil && f.outcome != outcomeCanceled && !errors.Is(cause, errDeadline) {
		return ErrUnavailable.Because(cause) // the caller left during a pause
	}
	out := f.fault.Because(f)
	if f.wait > 0 {
		return out.After(f.wait)
	}
	if f.again || f.ill {
		return out.After(max(c.opts.Backoff.Max, time.Second))
	}
	return out
}

// pace is exponential backoff on top of what the vendor asks for: pauses of the
// same Retry-After still differ, so that callers do not come back all at once.
type pace struct {
	*backoff.ExponentialBackOff
	atLeast time.Duration
}

func (c *Client) newPace() *pace {
	e := backoff.NewExponentialBackOff()
	e.InitialInterval, e.MaxInterval, e.Multiplier = c.opts.Backoff.Base, c.opts.Backoff.Max, 2
	return &pace{ExponentialBackOff: e}
}

// NextBackOff returns the pause before the next attempt.
func (p *pace) NextBackOff() time.Duration {
	return p.atLeast + p.ExponentialBackOff.NextBackOff()
}
