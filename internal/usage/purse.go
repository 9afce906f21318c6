package usage

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// fresh is how long an answer of the vendor is told again.
	fresh = time.Minute
	// sore is how long a failure is, so that pages which refresh themselves leave a
	// vendor in trouble alone.
	sore = 10 * time.Second
	// creditsTime bounds one question with all its tries.
	creditsTime = 30 * time.Second
)

// Vendor tells how the account stands. Its errors are faults.
type Vendor interface {
	Credits(ctx context.Context) (Credits, error)
}

// Purse knows how many credits are left, from the vendor. Vendor and Now are
// required. It is safe for concurrent use and must not be copied.
type Purse struct {
	Vendor Vendor
	Now    func() time.Time

	flights singleflight.Group

	mu   sync.Mutex
	last reply
}

// reply is what came of one question to the vendor.
type reply struct {
	credits Credits
	err     error
	at      time.Time
}

// holds reports whether r may be told again at now. A clock that was set back makes
// it void.
func (r reply) holds(now time.Time) bool {
	age, life := now.Sub(r.at), fresh
	if r.err != nil {
		life = sore
	}
	return !r.at.IsZero() && age >= 0 && age < life
}

// Credits returns how the account stands, at most a minute old. Of callers who come
// at the same time one asks for all; when it leaves, the others get their answer
// nevertheless. Credits returns the vendor's fault, for 10 s without asking again.
func (p *Purse) Credits(ctx context.Context) (Credits, error) {
	if r, ok := p.known(); ok {
		return r.credits, r.err
	}
	done := p.flights.DoChan("", func() (any, error) { return p.ask(context.WithoutCancel(ctx)), nil })
	select {
	case landed := <-done:
		r := landed.Val.(reply) //nolint:errcheck // ask returns nothing else
		return r.credits, r.err
	case <-ctx.Done():
		return Credits{}, context.Cause(ctx)
	}
}

// known returns what was said last, and whether it holds still.
func (p *Purse) known() (reply, bool) {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.last.holds(now)
}

// ask asks the vendor, unless another flight landed between the caller's look and
// its turn. Nobody else could recover in its goroutine.
func (p *Purse) ask(ctx context.Context) (r reply) {
	if r, ok := p.known(); ok {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, creditsTime)
	defer cancel()
	defer func() {
		if what := recover(); what != nil {
			r.err = fmt.Errorf("panic: %v\n%s", what, debug.Stack())
		}
		r.at = p.Now()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last = r
	}()
	r.credits, r.err = p.Vendor.Credits(ctx)
	return r
}
