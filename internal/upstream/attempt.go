package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"casbroker/internal/telemetry"
)

// maxAnswer is the longest answer read, in bytes; the documented ones have under 1 KB.
const maxAnswer = 64 << 10

const headerRequestID = "X-Request-ID"

var (
	errURL     = errors.New("upstream.url is not an http or https URL")
	errTooLong = errors.New("the answer is longer than " + strconv.Itoa(maxAnswer) + " bytes")
)

// answer is an answer read to its end.
type answer struct {
	status     int
	requestID  string        // the vendor's, "" when it sent none of the documented form
	retryAfter time.Duration // 0 when the vendor did not say
	body       []byte
}

// attempt sends r once. Whatever is not 200 or 201 comes back as a failure.
func (c *Client) attempt(ctx context.Context, r request) (answer, *failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	defer cancel()
	a, err := c.exchange(ctx, r)
	switch {
	case errors.Is(err, errURL), errors.Is(err, errTooLong):
		return a, &failure{
			fault: ErrBadAnswer, outcome: outcomeBadAnswer,
			status: a.status, requestID: a.requestID, cause: err,
		}
	case err != nil:
		return a, lost(ctx, a, err)
	default:
		return a, refused(a)
	}
}

func (c *Client) exchange(ctx context.Context, r request) (answer, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read as far as wanted
	a := answer{status: resp.StatusCode}
	if id := resp.Header.Get(headerRequestID); telemetry.ValidRequestID(id) {
		a.requestID = id
	}
	a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), c.opts.Now())
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case !a.ok():
		return a, nil // the status tells enough, with half a body too
	case err == nil && len(a.body) > maxAnswer:
		return a, errTooLong
	default:
		return a, err
	}
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	if c.base == nil {
		return nil, errURL
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.String()+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, errURL
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "casbroker")
	req.Header.Set(headerRequestID, r.id)
	req.Header.Set("X-Api-Key", c.opts.APIKey.Reveal())
	return req, nil
}

func (a answer) ok() bool { return a.status == http.StatusOK || a.status == http.StatusCreated }

// lost is the failure of an attempt that brought no whole answer.
func lost(ctx context.Context, a answer, err error) *failure {
	f := &failure{
		fault: ErrUnavailable, outcome: outcomeUnreachable, again: true, ill: true,
		status: a.status, requestID: a.requestID, cause: withoutURL(err),
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
	case errors.Is(cause, errTimeout), errors.Is(cause, errDeadline):
		f.outcome, f.cause = outcomeTimeout, cause
	default:
		f.outcome, f.again, f.ill, f.cause = outcomeCanceled, false, false, cause
	}
	return f
}

// withoutURL leaves out the URL that package http puts before each error: the log
// has it already, and whatever a proxy made of it does not belong there.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
