// Package ratelimit limits how often callers may make requests, and tells them what
// is left in response headers. Each class of routes has up to three limits: per
// user, per client address, and for all callers together. Calls that services make
// for users have a class of their own, whatever the route, with limits per user, per
// service and for all services together. Failed authentications have a limit of their own. A Counter does the counting; package auth says who the
// caller is.
package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/ulule/limiter/v3"

	"casbroker/internal/fault"
)

// Class is a group of routes that share their limits.
type Class string

// The classes.
const (
	Token  Class = "token"   // asking for an access token
	Save   Class = "save"    // saving and deleting portfolios
	Read   Class = "read"    // reading portfolios
	Upload Class = "upload"  // uploading documents through the gateway
	Admin  Class = "admin"   // operating the broker
	SignIn Class = "sign_in" // signing in with a wrong admin key

	Service    Class = "service"     // calls that services make for users
	ServiceKey Class = "service_key" // calls with a wrong service key; it has the limits of SignIn
)

var (
	errLimited = fault.New(fault.Limited, "rate_limited",
		"Too many requests; wait as long as the Retry-After header says.")
	errUncounted = fault.New(fault.Unavailable, "limits_unavailable",
		"The request limits cannot be checked at the moment; try again.").After(time.Second)
)

// Hit is one request counted against one limit.
type Hit struct {
	Rule string // the limit's name, such as "token-user"
	Who  string // a subject, a service and a user, an address, or "" for the limit that all callers share
	Rate limiter.Rate
}

// TokenKey identifies a cached token. It has the fields of token.CacheKey, so that an
// implementation of Counter can convert one to the other.
type TokenKey struct {
	Subject string
	Minutes int
	Gateway bool
}

// Counter counts hits in windows of time. It is safe for concurrent use.
type Counter interface {
	// Take counts each of hits, whether or not its limit is reached, and returns their
	// states in the same order; Reset is in unix seconds, rounded up. In the same round
	// trip it fetches the token cached under fetch, which must not be changed; it is
	// nil if fetch is zero or no token is cached. Take does not retain hits.
	Take(ctx context.Context, hits []Hit, fetch TokenKey) ([]limiter.Context, []byte, error)
}

// Limiter applies Rules. Counter and Rules are required. It is safe for concurrent
// use and must not be copied.
//
// It remembers an exhausted limit until its window ends, and until then refuses
// requests without asking the Counter. So a caller who keeps asking costs no round
// trips, and refused requests do not use up the limits that this caller shares with
// others: per window and replica, only requests that were already in flight when the
// limit was reached are counted for nothing.
type Limiter struct {
	Counter Counter
	Rules   Rules
	Now     func() time.Time // time.Now when nil
	Log     *slog.Logger     // has limits that are only observed, once a window; nil discards
	// OnReached is called with the limit that a request was past, and its mode: one that is
	// only observed let it pass. May be nil.
	OnReached func(limit, mode string)

	exhausted exhausted
}

func (l *Limiter) now() int64 {
	if l.Now == nil {
		return time.Now().Unix()
	}
	return l.Now().Unix()
}

func (l *Limiter) reached(limit, mode string) {
	if l.OnReached != nil {
		l.OnReached(limit, mode)
	}
}

// observe counts and logs a request past r, which is only observed, until reset.
func (l *Limiter) observe(ctx context.Context, r *rule, k limitKey, reset, now int64) {
	l.reached(r.name, Observe)
	if l.Log != nil && l.exhausted.get(k, now) == 0 && l.exhausted.add(k, reset, now) {
		l.Log.WarnContext(ctx, "a request was past a limit, which only observes", "limit", r.name)
	}
}

// refuse returns the error for a request that r refuses until reset.
func (l *Limiter) refuse(r *rule, reset, now int64) error {
	l.reached(r.name, Enforce)
	wait := max(r.secondsLeft(reset, now), 1)
	return errLimited.Withf("%s Try again in %d s.", r.refusal, wait).After(time.Duration(wait) * time.Second)
}
