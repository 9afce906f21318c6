package upstream

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"casbroker/internal/apikey"
	"casbroker/internal/telemetry"
)

// request is what one call sends, the same in every attempt.
type request struct {
	method, path string
	body         []byte // JSON; nil for none
	id           string // sent as X-Request-ID
	excluded     bool   // failures do not count towards opening the breaker

	// read reads the body of a success. An error means that it is not the documented one;
	// it must not quote the body. It may be nil.
	read func(body []byte) error

	key      *apikey.Key // that is used; nil for one of Keys
	first    bool        // the first of Keys is used
	attempts int         // 0 means Options.Attempts
}

// Causes of attempts that the client itself ended.
var (
	errTimeout  = errors.New("no complete response within upstream.timeout")
	errDeadline = errors.New("no response within the deadline of all attempts")
)

// do makes one call with its retries. Every call goes through it. Its errors are faults
// of kind Unavailable.
func (c *Client) do(ctx context.Context, req request) (response, error) {
	if req.id = telemetry.RequestID(ctx); !telemetry.ValidRequestID(req.id) {
		req.id = telemetry.NewRequestID()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Deadline, errDeadline)
	defer cancel()
	deadline, _ := ctx.Deadline() // the caller's if it is earlier
	var last *failure
	pause := c.newPause()
	res, err := backoff.Retry(ctx, func() (response, error) {
		var res response
		if res, last = c.guarded(ctx, req); last == nil {
			return res, nil
		}
		if !last.retryable {
			return res, backoff.Permanent(last)
		}
		pause.atLeast = last.retryAfter
		return res, last
	},
		backoff.WithBackOff(pause),
		backoff.WithMaxTries(uint(cmp.Or(req.attempts, c.opts.Attempts))),
		backoff.WithMaxElapsedTime(time.Until(deadline)),
		backoff.WithNotify(func(err error, pause time.Duration) {
			c.opts.Log.WarnContext(ctx, "upstream call failed, retrying",
				"path", req.path, "error", err, "pause", pause, "upstream_request_id", last.requestID)
		}),
	)
	if err == nil {
		return res, nil
	}
	return res, c.toFault(ctx, last)
}

// toFault returns the caller's error for the last failure.
func (c *Client) toFault(ctx context.Context, f *failure) error {
	if cause := context.Cause(ctx); cause != nil && f.outcome != outcomeCanceled && !errors.Is(cause, errDeadline) {
		return ErrUnavailable.Because(cause) // the caller left during a pause
	}
	out := f.fault.Because(f)
	if f.retryAfter > 0 {
		return out.After(f.retryAfter)
	}
	if f.retryable || f.tripsBreaker {
		return out.After(max(c.opts.Backoff.Max, time.Second))
	}
	return out
}

// pause is exponential backoff on top of the vendor's Retry-After. Callers who got
// the same Retry-After still pause for different times and do not return all at once.
type pause struct {
	*backoff.ExponentialBackOff
	atLeast time.Duration
}

func (c *Client) newPause() *pause {
	e := backoff.NewExponentialBackOff()
	e.InitialInterval, e.MaxInterval, e.Multiplier = c.opts.Backoff.Base, c.opts.Backoff.Max, 2
	return &pause{ExponentialBackOff: e}
}

// NextBackOff returns the pause before the next attempt.
func (p *pause) NextBackOff() time.Duration {
	return p.atLeast + p.ExponentialBackOff.NextBackOff()
}

// maxRetryAfter is the longest Retry-After that is believed.
const maxRetryAfter = 24 * time.Hour

// retryAfter parses a Retry-After header (RFC 9110, section 10.2.3): seconds, or a
// date, from which now is subtracted. It returns 0 for anything else and for a date in
// the past.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 64); err == nil {
		if seconds > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
