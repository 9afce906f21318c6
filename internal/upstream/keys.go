package upstream

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
)

var _ apikey.Prober = (*Client)(nil)

// takeKey returns a key for req, when it is its turn. except is the name of a key that was
// tried already, "" for none.
func (c *Client) takeKey(ctx context.Context, req request, except string) (*apikey.Key, error) {
	switch {
	case req.key != nil:
		return req.key, nil
	case req.first:
		return c.opts.Keys.First(ctx)
	default:
		return c.opts.Keys.Take(ctx, apikey.Use{
			App: apikey.AppFrom(ctx), Urgent: !apikey.IsBackground(ctx), Wait: c.opts.Deadline, Except: except,
		})
	}
}

// awaitKey is takeKey, but returns errBreakerOpen when opening is closed: those who wait for
// a turn hear at once that the vendor is not called.
func (c *Client) awaitKey(ctx context.Context, opening <-chan struct{}, req request, except string) (*apikey.Key, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	taken := make(chan struct{})
	defer cancel(nil)
	defer close(taken)
	go func() {
		select {
		case <-opening:
			cancel(errBreakerOpen)
		case <-taken:
		}
	}()
	return c.takeKey(ctx, req, except)
}

// keyFailure returns the failure that err of takeKey means.
func keyFailure(ctx context.Context, err error) *failure {
	f := &failure{fault: ErrUnavailable, outcome: outcomeCanceled, cause: err}
	if errors.Is(context.Cause(ctx), errDeadline) {
		f.outcome = outcomeTimeout
		return f
	}
	refusal, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return f
	}
	f.retryAfter = refusal.RetryAfter
	switch {
	case errors.Is(err, apikey.ErrBusy):
		f.fault, f.outcome = ErrRateLimited, outcomeRateLimited
	case errors.Is(err, apikey.ErrOutOfCredits):
		f.fault, f.outcome = ErrOutOfCredits, outcomeRefused
	default:
		f.fault, f.outcome = ErrRefusedKey, outcomeRefused
	}
	return f
}

// Account asks for the credits of the account of key. If the vendor does not accept the
// key, it returns why. It does not count towards opening the breaker.
func (c *Client) Account(ctx context.Context, key *apikey.Key) (apikey.Account, apikey.Reason, error) {
	res, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/credits", excluded: true, key: key, attempts: 1})
	if f, ok := errors.AsType[*failure](err); ok {
		return apikey.Account{}, apikey.ReasonOf(f.status, f.code), err
	}
	if err != nil {
		return apikey.Account{}, "", err
	}
	credits, err := decodeCredits(res.body)
	if err != nil {
		return apikey.Account{}, "", ErrBadAnswer.Because(err)
	}
	if credits.Unlimited {
		return apikey.Account{Unlimited: true}, "", nil
	}
	used, remaining := number(credits.Used), number(credits.Remaining)
	return apikey.Account{Remaining: remaining, Limit: used + remaining}, "", nil
}

// number returns about the number of credits that text says.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64) // decodeCredits has read it
	return n
}
