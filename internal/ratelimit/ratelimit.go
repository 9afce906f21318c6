// Package ratelimit says how often a caller may do what, and tells the caller.
// Each class of route has up to three limits: for the user, for the address that
// the request comes from, and for everybody together; failed sign-ins have one of
// their own. The counting is left to a Counter, and who the caller is to package
// auth.
package ratelimit

import (
	"context"
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
	Upload Class = "upload"  // sending a statement to be parsed
	Admin  Class = "admin"   // operating the broker
	SignIn Class = "sign_in" // trying an admin key that is wrong
)

var (
	errLimited = fault.New(fault.Limited, "rate_limited",
		"Too many requests; wait as long as the Retry-After header says.")
	errUncounted = fault.New(fault.Unavailable, "limits_unavailable",
		"The request cannot be counted at the moment; try again.").After(time.Second)
)

// Hit is one request to be counted against one limit.
type Hit struct {
	Rule string // the limit's name, "token-user"
	Who  string // whose count it is: a subject, an address, or "" for the one that all share
	Rate limiter.Rate
}

// TokenKey identifies a cached token. It has the fields of token.CacheKey, so that an
// implementation of Counter can convert one to the other.
type TokenKey struct {
	Subject string
	Minutes int
}

// Counter counts hits in windows of time. It is safe for concurrent use.
type Counter interface {
	// Take counts one against each of hits, reached or not, and returns the state of
	// each in the same order; Reset is in unix seconds, rounded up. On the same trip
	// it brings the token cached under fetch, which must not be changed: nil when fetch
	// is zero or nothing is there. It does not hold on to hits.
	Take(ctx context.Context, hits []Hit, fetch TokenKey) ([]limiter.Context, []byte, error)
}

// Limiter applies Rules. Counter and Rules are required. It is safe for concurrent
// use and must not be copied.
//
// A limit that is used up is remembered until its window ends, and until then
// requests are refused without asking the Counter. So a caller who goes on and on
// costs no trips, and what is refused does not use up the limits that this caller
// shares with others: per window and replica at most those requests are counted in
// vain that were under way together when the limit was reached.
type Limiter struct {
	Counter Counter
	Rules   Rules
	Now     func() time.Time  // time.Now when nil
	Observe func(rule string) // is told which limit refused a request, if set

	full full
}

func (l *Limiter) now() int64 {
	if l.Now == nil {
		return time.Now().Unix()
	}
	return l.Now().Unix()
}

// refuse returns the failure of a request that r holds back until reset.
func (l *Limiter) refuse(r *rule, reset, now int64) error {
	if l.Observe != nil {
		l.Observe(r.name)
	}
	wait := max(r.left(reset, now), 1)
	return errLimited.Withf("%s Try again in %d s.", r.refusal, wait).After(time.Duration(wait) * time.Second)
}
