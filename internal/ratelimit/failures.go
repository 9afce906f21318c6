package ratelimit

import (
	"context"
	"errors"
	"slices"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// LimitAuthFailures refuses requests from addresses that sent too many requests whose
// authentication failed. It must run before authentication. It counts requests that
// fail with auth.ErrInvalidToken or one of more; requests without a token do not
// count. Once the limit is exhausted, every request from that address gets
// rate_limited until the window ends, whatever credentials it carries. Requests that
// do not fail cost no round trip.
func (l *Limiter) LimitAuthFailures(more ...error) echo.MiddlewareFunc {
	if l.Rules.failures == nil {
		return unlimited
	}
	return l.limitFailures([]*rule{l.Rules.failures}, append(more, auth.ErrInvalidToken))
}

// LimitFailures does the same with the limits of class, for requests that fail with
// failure.
func (l *Limiter) LimitFailures(class Class, failure error) echo.MiddlewareFunc {
	limits := l.Rules.class(class)
	if len(limits.rules) == 0 {
		return unlimited
	}
	return l.limitFailures(limits.rules, []error{failure})
}

func unlimited(next echo.HandlerFunc) echo.HandlerFunc { return next }

func (l *Limiter) limitFailures(rules []*rule, failures []error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := l.checkFailures(rules, c.RealIP()); err != nil {
				return err
			}
			err := next(c)
			if err != nil && slices.ContainsFunc(failures, func(f error) bool { return errors.Is(err, f) }) {
				l.countFailure(c.Request().Context(), rules, c.RealIP())
			}
			return err
		}
	}
}

// checkFailures refuses a request if one of the limits is known to be exhausted. The
// caller is not authenticated yet, so only limits by address and for all apply.
func (l *Limiter) checkFailures(rules []*rule, ip string) error {
	if l.exhausted.empty() {
		return nil
	}
	var ck check
	ck.fill(rules, "", ip)
	now := l.now()
	for i, r := range ck.rules {
		if until := l.exhausted.get(ck.hits[i].limitKey(), now); until > 0 {
			return l.refuse(r, until, now)
		}
	}
	return nil
}

// countFailure counts a failed request, even if the caller has hung up already. If
// that fails, the request still gets its own error.
func (l *Limiter) countFailure(ctx context.Context, rules []*rule, ip string) {
	var ck check
	ck.fill(rules, "", ip)
	states, _, err := l.Counter.Take(context.WithoutCancel(ctx), ck.hits, TokenKey{})
	if err != nil {
		return
	}
	for i, state := range states {
		if state.Remaining <= 0 {
			l.exhausted.add(ck.hits[i].limitKey(), state.Reset, l.now())
		}
	}
}
