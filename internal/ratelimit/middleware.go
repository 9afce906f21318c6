package ratelimit

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/auth"
)

// Middleware lets a request pass while all limits of class allow it, and tells in
// RateLimit-Policy and RateLimit how much is left. It belongs behind
// authentication, since users are counted by their Subject. It fails as Admit does.
func (l *Limiter) Middleware(class Class) echo.MiddlewareFunc {
	admit := l.Admit(class)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if _, err := admit(c, "", 0); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// Admit returns what Middleware does, as a function for a handler to call. On the
// same trip it brings the token of subject for that many minutes, nil if there is none;
// it must not be changed. A subject of "" asks for no token.
//
// It fails with rate_limited, or with limits_unavailable when the Counter cannot
// count: what cannot be counted is not let through.
func (l *Limiter) Admit(class Class) func(c echo.Context, subject string, minutes int) ([]byte, error) {
	limits, ok := l.Rules.classes[class]
	if !ok {
		panic("ratelimit: no rules for the class " + string(class))
	}
	return func(c echo.Context, subject string, minutes int) ([]byte, error) {
		fetch := TokenKey{subject, minutes}
		if len(limits.rules) == 0 && fetch == (TokenKey{}) {
			return nil, nil
		}
		return l.admit(c, limits, fetch)
	}
}

// visit is what one request needs while it is counted.
type visit struct {
	rules []*rule
	hits  []Hit
	line  []byte
}

var visits = sync.Pool{New: func() any { return new(visit) }}

func (l *Limiter) admit(c echo.Context, limits *classRules, fetch TokenKey) ([]byte, error) {
	v := visits.Get().(*visit) //nolint:errcheck // the pool holds nothing else
	defer visits.Put(v)
	v.fill(limits.rules, auth.Caller(c).Subject, c.RealIP())

	h := c.Response().Header()
	if limits.policy != nil {
		h[headerPolicy] = limits.policy
	}
	if err := l.remembered(v, h); err != nil {
		return nil, err
	}
	states, value, err := l.Counter.Take(c.Request().Context(), v.hits, fetch)
	if err != nil {
		return nil, errUncounted.Because(err)
	}
	return value, l.judge(v, states, h)
}

// fill sets the hits of a request. A caller who is nobody is counted by address alone.
func (v *visit) fill(rules []*rule, subject, ip string) {
	v.rules, v.hits, v.line = v.rules[:0], v.hits[:0], v.line[:0]
	for _, r := range rules {
		hit := Hit{Rule: r.name, Rate: r.rate}
		switch r.of {
		case ofUser:
			hit.Who = subject
		case ofAddress:
			hit.Who = address(ip)
		case ofAll:
		}
		if hit.Who != "" || r.of == ofAll {
			v.rules, v.hits = append(v.rules, r), append(v.hits, hit)
		}
	}
}

// remembered refuses the request when one of its limits is known to be used up.
func (l *Limiter) remembered(v *visit, h http.Header) error {
	now := l.now()
	for i, r := range v.rules {
		until := l.full.get(place{r.name, v.hits[i].Who}, now)
		if until == 0 {
			continue
		}
		v.tell(h, appendState(v.line, r, limiter.Context{Reset: until}, now))
		return l.refuse(r, until, now)
	}
	return nil
}

// judge tells the caller where things stand and refuses the request when a limit
// is passed, because of the one that holds it back longest.
func (l *Limiter) judge(v *visit, states []limiter.Context, h http.Header) error {
	now := l.now()
	var passed *rule
	var until int64
	line := v.line
	for i, state := range states {
		r := v.rules[i]
		line = appendState(line, r, state, now)
		if state.Remaining <= 0 {
			l.full.add(place{r.name, v.hits[i].Who}, state.Reset, now)
		}
		if state.Reached && (passed == nil || state.Reset > until) {
			passed, until = r, state.Reset
		}
	}
	v.tell(h, line)
	if passed == nil {
		return nil
	}
	return l.refuse(passed, until, now)
}

func (v *visit) tell(h http.Header, line []byte) {
	v.line = line
	if len(line) > 0 {
		h[headerState] = []string{string(line)}
	}
}

// Guard holds back addresses from which too many requests could not be
// authenticated. It belongs before authentication: a request whose token is refused
// there is counted, and one that fails with one of more; one without a token is not.
// Once the limit is used up, requests from that address get rate_limited, whatever
// credentials they carry, until the window ends. Requests that do not fail cost no trip.
func (l *Limiter) Guard(more ...error) echo.MiddlewareFunc {
	if l.Rules.failures == nil {
		return unlimited
	}
	return l.holdBack([]*rule{l.Rules.failures}, append(more, auth.ErrInvalidToken))
}

// Failures does what Guard does with the limits of class, for requests that fail with
// failure.
func (l *Limiter) Failures(class Class, failure error) echo.MiddlewareFunc {
	limits, ok := l.Rules.classes[class]
	if !ok {
		panic("ratelimit: no rules for the class " + string(class))
	}
	if len(limits.rules) == 0 {
		return unlimited
	}
	return l.holdBack(limits.rules, []error{failure})
}

func unlimited(next echo.HandlerFunc) echo.HandlerFunc { return next }

func (l *Limiter) holdBack(rules []*rule, failures []error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := l.heldBack(rules, c.RealIP()); err != nil {
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

// heldBack refuses a request when one of the limits is known to be used up. Whose it is
// is not known yet.
func (l *Limiter) heldBack(rules []*rule, ip string) error {
	if l.full.empty() {
		return nil
	}
	var v visit
	v.fill(rules, "", ip)
	now := l.now()
	for i, r := range v.rules {
		if until := l.full.get(place{r.name, v.hits[i].Who}, now); until > 0 {
			return l.refuse(r, until, now)
		}
	}
	return nil
}

// countFailure counts also when the caller has hung up already. If it cannot be
// counted, the request has failed all the same.
func (l *Limiter) countFailure(ctx context.Context, rules []*rule, ip string) {
	var v visit
	v.fill(rules, "", ip)
	states, _, err := l.Counter.Take(context.WithoutCancel(ctx), v.hits, TokenKey{})
	if err != nil {
		return
	}
	for i, state := range states {
		if state.Remaining <= 0 {
			l.full.add(place{v.rules[i].name, v.hits[i].Who}, state.Reset, l.now())
		}
	}
}
