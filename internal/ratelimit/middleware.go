package ratelimit

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/ulule/limiter/v3"

	"casbroker/internal/auth"
)

// Middleware passes a request on while all limits of class allow it, or all of Service for
// a call that a service makes for a user, and sets RateLimit-Policy and RateLimit. It must run after authentication, since users are
// counted by their Subject. It returns the errors of Admit.
func (l *Limiter) Middleware(class Class) echo.MiddlewareFunc {
	admit := l.Admit(class)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if _, err := admit(c, "", 0, false); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// ForServices is Middleware for calls that services make for themselves, such as the
// introspection of the token of each request that they serve: a service has the limits of
// Service, those for each user aside, and all other callers have those of class.
func (l *Limiter) ForServices(class Class) echo.MiddlewareFunc {
	own, ofServices := l.Rules.class(class), l.Rules.class(Service)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who, limits := auth.Caller(c), own
			if who.Scopes != 0 {
				who, limits = auth.Principal{Actor: who.Subject}, ofServices
			}
			if len(limits.rules) > 0 {
				if _, err := l.admit(c, limits, who, TokenKey{}); err != nil {
					return err
				}
			}
			return next(c)
		}
	}
}

// Admit returns a function that does for a handler what Middleware does. In the same
// round trip it fetches the token that is cached for subject, that many minutes and that
// mode; the token is nil if there is none, and must not be changed. With subject "" it
// fetches none.
//
// The function returns rate_limited, or limits_unavailable if the Counter fails:
// requests that cannot be counted are refused.
func (l *Limiter) Admit(class Class) func(c echo.Context, subject string, minutes int, gateway bool) ([]byte, error) {
	own, ofServices := l.Rules.class(class), l.Rules.class(Service)
	return func(c echo.Context, subject string, minutes int, gateway bool) ([]byte, error) {
		fetch, who, limits := TokenKey{subject, minutes, gateway}, auth.Caller(c), own
		if who.Actor != "" {
			limits = ofServices
		}
		if len(limits.rules) == 0 && fetch == (TokenKey{}) {
			return nil, nil
		}
		return l.admit(c, limits, who, fetch)
	}
}

// check holds the rules that apply to one request, and its hits against them.
type check struct {
	rules []*rule
	hits  []Hit // one for each of rules
	state []byte
}

var checks = sync.Pool{New: func() any { return new(check) }}

func (l *Limiter) admit(c echo.Context, limits *classRules, who auth.Principal, fetch TokenKey) ([]byte, error) {
	ck := checks.Get().(*check) //nolint:errcheck // the pool holds nothing else
	defer checks.Put(ck)
	ck.fill(limits.rules, who, c.RealIP())

	h := c.Response().Header()
	if limits.policy != nil {
		h[headerPolicy] = limits.policy
	}
	if err := l.checkExhausted(ck, h); err != nil {
		return nil, err
	}
	states, token, err := l.take(c.Request().Context(), ck.hits, fetch)
	if err != nil {
		return nil, errUncounted.Because(err)
	}
	return token, l.evaluate(c.Request().Context(), ck, states, h)
}

// fill sets the hits of a request. An anonymous caller is counted by address only.
func (ck *check) fill(rules []*rule, who auth.Principal, ip string) {
	ck.rules, ck.hits, ck.state = ck.rules[:0], ck.hits[:0], ck.state[:0]
	for _, r := range rules {
		hit := Hit{Rule: r.name, Rate: r.rate}
		switch r.scope {
		case perUser:
			hit.Who = who.Subject
		case perService:
			hit.Who = who.Actor
		case perUserAndService:
			if who.Subject != "" {
				hit.Who = who.Actor + "\n" + who.Subject // neither contains a line end
			}
		case perAddress:
			hit.Who = countedAddress(ip, subscriberBits)
		case perSite:
			hit.Who = countedAddress(ip, siteBits)
		case allCallers:
		}
		if hit.Who != "" || r.scope == allCallers {
			ck.rules, ck.hits = append(ck.rules, r), append(ck.hits, hit)
		}
	}
}

// How many bits of an IPv6 address identify who has it. One subscriber has at least a /64,
// and anyone can have a /48, which is 65,536 of these.
const (
	subscriberBits = 64
	siteBits       = 48
)

// countedAddress returns the address or network that requests from ip are counted by: the
// first bits of an IPv6 address.
func countedAddress(ip string, bits int) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Is4() {
		return ip
	}
	if a.Is4In6() {
		return a.Unmap().String()
	}
	network, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return ip
	}
	return network.String()
}

// checkExhausted refuses the request if one of its limits is known to be exhausted.
func (l *Limiter) checkExhausted(ck *check, h http.Header) error {
	now := l.now()
	for i, r := range ck.rules {
		until := l.exhaustedUntil(r, ck.hits[i], now)
		if until == 0 {
			continue
		}
		ck.setState(h, appendState(ck.state, r, limiter.Context{Reset: until}, now))
		return l.refuse(r, until, now)
	}
	return nil
}

// exhaustedUntil returns until when r refuses h, as far as is known; 0 if it does not.
func (l *Limiter) exhaustedUntil(r *rule, h Hit, now int64) int64 {
	if r.observed {
		return 0
	}
	return l.exhausted.get(h.limitKey(), now)
}

// isPast reports whether r refuses h, whose state is given. It remembers an exhausted limit,
// and counts and logs a request past one that is only observed.
func (l *Limiter) isPast(ctx context.Context, r *rule, h Hit, state limiter.Context, now int64) bool {
	if r.observed {
		if state.Reached {
			l.observe(ctx, r, h.limitKey(), state.Reset, now)
		}
		return false
	}
	if state.Remaining <= 0 {
		l.exhausted.add(h.limitKey(), state.Reset, now)
	}
	return state.Reached
}

// evaluate sets RateLimit from states. If limits are exceeded it refuses the request
// because of the one that lasts longest.
func (l *Limiter) evaluate(ctx context.Context, ck *check, states []limiter.Context, h http.Header) error {
	now := l.now()
	var exceeded *rule
	var until int64
	items := ck.state
	for i, state := range states {
		r := ck.rules[i]
		items = appendState(items, r, state, now)
		if l.isPast(ctx, r, ck.hits[i], state, now) && (exceeded == nil || state.Reset > until) {
			exceeded, until = r, state.Reset
		}
	}
	ck.setState(h, items)
	if exceeded == nil {
		return nil
	}
	return l.refuse(exceeded, until, now)
}

func (ck *check) setState(h http.Header, items []byte) {
	ck.state = items
	if len(items) > 0 {
		h[headerState] = []string{string(items)}
	}
}

// LimitAuthFailures holds back guesses: requests whose authentication fails with
// auth.ErrInvalidToken or one of more count for their address, IPv6 addresses by their /48,
// and past the limit they get rate_limited in place of their own error until the window
// ends. Requests whose credentials are right always pass, and so do requests without any:
// many callers may share an address. It must run before authentication. Neither requests
// that pass nor those past the limit cost a round trip.
func (l *Limiter) LimitAuthFailures(more ...error) echo.MiddlewareFunc {
	if l.Rules.failures == nil {
		return unlimited
	}
	return l.limitFailures([]*rule{l.Rules.failures}, append(more, auth.ErrInvalidToken))
}

// LimitFailures is LimitAuthFailures for requests that fail with failure, with the limits
// of class.
func (l *Limiter) LimitFailures(class Class, failure error) echo.MiddlewareFunc {
	limits := l.Rules.class(class)
	if len(limits.rules) == 0 {
		return unlimited
	}
	return l.limitFailures(limits.rules, []error{failure})
}

// LimitServiceKeys is LimitFailures for wrong service keys.
func (l *Limiter) LimitServiceKeys() echo.MiddlewareFunc {
	return l.LimitFailures(ServiceKey, auth.ErrServiceKey)
}

func unlimited(next echo.HandlerFunc) echo.HandlerFunc { return next }

func (l *Limiter) limitFailures(rules []*rule, failures []error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			err := next(c)
			if err == nil || !slices.ContainsFunc(failures, func(f error) bool { return errors.Is(err, f) }) {
				return err
			}
			// It counts even if the caller has hung up already.
			refused := l.countAttempt(context.WithoutCancel(c.Request().Context()), rules, c.RealIP())
			if refused == nil || errors.Is(refused, errUncounted) {
				return err
			}
			c.Response().Header().Del(echo.HeaderWWWAuthenticate) // of the failure
			return refused
		}
	}
}

// Reserve returns a function that counts an attempt before its secret is compared, if the
// comparison is too costly to be made as often as anyone asks. It returns rate_limited past
// the limits of class, and limits_unavailable if the Counter fails.
func (l *Limiter) Reserve(class Class) func(c echo.Context) error {
	rules := l.Rules.class(class).rules
	return func(c echo.Context) error {
		if len(rules) == 0 {
			return nil
		}
		return l.countAttempt(c.Request().Context(), rules, c.RealIP())
	}
}

// countAttempt counts an attempt of a caller who is not authenticated, so only limits by
// address and for all apply. It returns the error for an attempt past one of them.
func (l *Limiter) countAttempt(ctx context.Context, rules []*rule, ip string) error {
	var ck check
	ck.fill(rules, auth.Principal{}, ip)
	now := l.now()
	for i, r := range ck.rules {
		if until := l.exhaustedUntil(r, ck.hits[i], now); until > 0 {
			return l.refuse(r, until, now)
		}
	}
	states, _, err := l.take(ctx, ck.hits, TokenKey{})
	if err != nil {
		return errUncounted.Because(err)
	}
	var refused error
	for i, state := range states {
		if l.isPast(ctx, ck.rules[i], ck.hits[i], state, now) && refused == nil {
			refused = l.refuse(ck.rules[i], state.Reset, now)
		}
	}
	return refused
}
