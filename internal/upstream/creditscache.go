package upstream

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"casbroker/internal/admin"
)

const (
	// creditsTTL is how long an answer about credits is cached.
	creditsTTL = time.Minute
	// errTTL is how long a failed lookup is cached, so auto-refreshing pages do not
	// hammer a failing vendor.
	errTTL = 10 * time.Second
	// creditsTimeout bounds one lookup with all its attempts.
	creditsTimeout = 30 * time.Second
)

// CreditsCache caches the vendor's answers about credits. Source and Now are required.
// It is safe for concurrent use and must not be copied.
type CreditsCache struct {
	Source admin.CreditsReader // usually a Client
	Now    func() time.Time

	lookups singleflight.Group

	mu   sync.Mutex
	last creditsResult
}

var _ admin.CreditsReader = (*CreditsCache)(nil)

// creditsResult is the result of one lookup.
type creditsResult struct {
	credits admin.Credits
	err     error
	at      time.Time // the zero time before the first lookup
}

// fresh reports whether r may be returned at now. It may not if now is before r.at,
// because the clock was set back.
func (r creditsResult) fresh(now time.Time) bool {
	age, ttl := now.Sub(r.at), creditsTTL
	if r.err != nil {
		ttl = errTTL
	}
	return !r.at.IsZero() && age >= 0 && age < ttl
}

// Credits returns the vendor's credits, at most a minute old. Concurrent callers share
// one lookup, which continues when the caller that started it leaves. A failed lookup is
// returned for 10 s before the vendor is asked again.
func (c *CreditsCache) Credits(ctx context.Context) (admin.Credits, error) {
	if r, ok := c.cached(); ok {
		return r.credits, r.err
	}
	done := c.lookups.DoChan("", func() (any, error) { return c.lookUp(context.WithoutCancel(ctx)), nil })
	select {
	case shared := <-done:
		r := shared.Val.(creditsResult) //nolint:errcheck // lookUp returns nothing else
		return r.credits, r.err
	case <-ctx.Done():
		return admin.Credits{}, context.Cause(ctx)
	}
}

// cached returns the last result and whether it is still fresh.
func (c *CreditsCache) cached() (creditsResult, bool) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.last.fresh(now)
}

// lookUp asks Source and stores the result. It returns the cached result if another
// lookup ended just before it started. It recovers from a panic of Source, because it
// runs in a goroutine of its own where no caller can.
func (c *CreditsCache) lookUp(ctx context.Context) (r creditsResult) {
	if r, ok := c.cached(); ok {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, creditsTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			r.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		r.at = c.Now()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last = r
	}()
	r.credits, r.err = c.Source.Credits(ctx)
	return r
}
