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

	"casbroker/internal/apikey"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
)

// maxBody is the longest response body that is read, in bytes. The documented ones
// have under 1 KB.
const maxBody = 64 << 10

const headerRequestID = "X-Request-ID"

var (
	errURL     = errors.New("upstream.url is not an http or https URL")
	errTooLong = errors.New("the response is longer than " + strconv.Itoa(maxBody) + " bytes")
)

// response is a vendor response with its body read.
type response struct {
	status     int
	requestID  string        // the vendor's; "" if it sent none of the documented form
	retryAfter time.Duration // 0 if the vendor sent none
	body       []byte
}

// ok reports whether the status is one of the two that the vendor documents for success.
func (r response) ok() bool { return r.status == http.StatusOK || r.status == http.StatusCreated }

// attempt sends req once. Any status but 200 and 201 is returned as a failure, and so is a
// body that says so or that req cannot read.
func (c *Client) attempt(ctx context.Context, req request, key *apikey.Key) (response, *failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, errTimeout)
	defer cancel()
	res, err := c.exchange(ctx, req, key)
	switch {
	case errors.Is(err, errURL), errors.Is(err, errTooLong):
		return res, &failure{
			fault: ErrBadAnswer, outcome: outcomeBadAnswer,
			status: res.status, requestID: res.requestID, cause: err,
		}
	case err != nil:
		return res, transportFailure(ctx, res, err)
	}
	f := statusFailure(res)
	if f == nil {
		f = bodyFailure(req, res, key)
	}
	return res, f
}

// exchange sends req and reads the response. A response with an error status is
// returned without an error even if its body is incomplete.
func (c *Client) exchange(ctx context.Context, req request, key *apikey.Key) (response, error) {
	httpReq, err := c.newRequest(ctx, req, key)
	if err != nil {
		return response{}, err
	}
	asked := c.opts.Now()
	httpRes, err := c.http.Do(httpReq)
	if err != nil {
		return response{}, err
	}
	c.readDate(httpRes.Header, asked)
	defer httpRes.Body.Close() //nolint:errcheck // the body has been read as far as needed
	res := response{status: httpRes.StatusCode}
	if id := httpRes.Header.Get(headerRequestID); telemetry.ValidRequestID(id) {
		res.requestID = id
	}
	if res.retryAfter = retryAfter(httpRes.Header.Get("Retry-After"), c.opts.Now()); res.status == http.StatusTooManyRequests {
		res.retryAfter = apikey.RetryAfter(httpRes.Header, c.opts.Now())
	}
	res.body, err = io.ReadAll(io.LimitReader(httpRes.Body, maxBody+1))
	key.Report(reportOf(res, httpRes.Header))
	switch {
	case !res.ok():
		return res, nil
	case err == nil && len(res.body) > maxBody:
		return res, errTooLong
	default:
		return res, err
	}
}

// readDate passes the vendor's clock on. An answer from a cache says nothing of it.
func (c *Client) readDate(header http.Header, asked time.Time) {
	if c.opts.OnDate == nil || header.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		c.opts.OnDate(date, asked)
	}
}

// reportOf returns what a response says of its key. An error that came with 200 counts as
// 403, of which the code says what it means.
func reportOf(res response, header http.Header) apikey.Answer {
	e := readError(res.body)
	a := apikey.Answer{Status: res.status, Code: e.Code, Header: header}
	if res.ok() && e.failed() && e.Code != "" {
		a.Status = http.StatusForbidden
	}
	return a
}

func (c *Client) newRequest(ctx context.Context, req request, key *apikey.Key) (*http.Request, error) {
	if c.base == nil {
		return nil, errURL
	}
	httpReq, err := http.NewRequestWithContext(ctx, req.method, c.base.String()+req.path, bytes.NewReader(req.body))
	if err != nil {
		return nil, errURL
	}
	httpReq.Header.Set("Accept", "application/json")
	httpReq.Header.Set("Content-Type", "application/json")
	httpReq.Header.Set("User-Agent", "casbroker")
	httpReq.Header.Set(headerRequestID, req.id)
	httpReq.Header.Set("X-Api-Key", key.Value.Reveal())
	if c.opts.SendTrace {
		tracing.Inject(ctx, httpReq.Header)
	}
	return httpReq, nil
}

// transportFailure returns the failure of an attempt without a complete response.
func transportFailure(ctx context.Context, res response, err error) *failure {
	f := &failure{
		fault: ErrUnavailable, outcome: outcomeUnreachable, retryable: true, tripsBreaker: true,
		status: res.status, requestID: res.requestID, cause: withoutURL(err),
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
	case errors.Is(cause, errTimeout), errors.Is(cause, errDeadline):
		f.outcome, f.cause = outcomeTimeout, cause
	default:
		f.outcome, f.retryable, f.tripsBreaker, f.cause = outcomeCanceled, false, false, cause
	}
	return f
}

// withoutURL removes the URL that package http puts before each error. The log has
// the path already, and a proxy may have added things to the URL that must not be logged.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
