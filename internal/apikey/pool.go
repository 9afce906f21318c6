package apikey

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// Settings describe a key.
type Settings struct {
	Name   string // as operators know it; in logs and metrics
	Value  secret.Text
	File   string   // that Value was read from, and is read from again; "" for none
	Weight int      // share of the requests; 0 means 1
	Apps   []string // that use this key; none means the apps without keys of their own
	Rate   int      // requests that the vendor allows in 60 s; 0 for no limit
}

// Options configure a Pool. Keys is required, and Pacer if a key has a rate.
type Options struct {
	Keys     []Settings
	Pacer    Pacer
	SwitchAt float64          // share of the credits, from 0 to 1, from which other keys go first; 0 for never
	Queue    time.Duration    // longest wait for a turn, if Use.Wait is 0
	Now      func() time.Time // nil means time.Now
	Log      *slog.Logger     // nil discards
	// OnChange is called when a key is set aside, with the reason, and with "" when it can
	// be used again; nil for not at all.
	OnChange func(name string, reason Reason)
	// OnHold is called when a key begins to rest for d after a 429. It must not block; nil
	// for not at all.
	OnHold func(name string, d time.Duration)
	// OnValue is called with a new value that was read from a file, before it is used; nil
	// for not at all.
	OnValue func(secret.Text)
	// CreditsEvery is how often Check asks for the credits of each key; 0 means never, so that SwitchAt
	// has no effect. In between, the headers of answers tell them.
	CreditsEvery time.Duration
}

// Pool hands out keys. It is safe for concurrent use.
type Pool struct {
	Options
	mu      sync.Mutex
	keys    []*key
	waiting atomic.Int64  // in await
	changed chan struct{} // closed when a key can no longer be used, and then replaced
}

// New returns a pool of keys that can all be used.
func New(o Options) *Pool {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnChange == nil {
		o.OnChange = func(string, Reason) {}
	}
	p := &Pool{Options: o, changed: make(chan struct{})}
	for _, s := range o.Keys {
		s.Weight = cmp.Or(s.Weight, 1)
		p.keys = append(p.keys, &key{Settings: s})
		o.OnChange(s.Name, "")
	}
	return p
}

// Use says what a key is for.
type Use struct {
	App    string        // whose user the request is for; "" for none
	Urgent bool          // goes before the others: a user waits for it
	Wait   time.Duration // longest wait for a turn; 0 means Options.Queue
	Except string        // name of a key that was tried already; "" for none
	Only   string        // name of the key whose account has what the request is about; "" if any will do
}

// AppOf returns the app of a subject: the name of the verifier, which is before the colon.
func AppOf(subject string) string {
	app, _, _ := strings.Cut(subject, ":")
	return app
}

// appKey is the context key of WithApp.
type appKey struct{}

// WithApp returns a context for requests for users of app.
func WithApp(ctx context.Context, app string) context.Context {
	return context.WithValue(ctx, appKey{}, app)
}

// AppFrom returns the app that WithApp set, or "" without it.
func AppFrom(ctx context.Context) string {
	app, _ := ctx.Value(appKey{}).(string)
	return app
}

// backgroundKey is the context key of InBackground.
type backgroundKey struct{}

// InBackground returns a context for requests that no user waits for.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsBackground reports whether ctx is of InBackground.
func IsBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// operatorOnly is the detail of faults that only the operator can resolve.
const operatorOnly = "The statement service is not available to this app at the moment; its operator has to resolve this."

// The failures of Take.
var (
	// ErrRefused: the vendor refuses every key that the app may use.
	ErrRefused = fault.New(fault.BadGateway, "upstream_refused", operatorOnly).
			WithNotef("The vendor refuses the API key, or the account has no credits left; check upstream.api_key or upstream.keys, and the account.")
	// ErrOutOfCredits: every key that the app may use is out of credits.
	ErrOutOfCredits = fault.New(fault.Exhausted, "insufficient_credits", operatorOnly).
			WithNotef("The vendor account is out of credits; buy more or wait until they are renewed.")
	// ErrBusy: no key has a turn soon enough.
	ErrBusy = fault.New(fault.Limited, "rate_limited", "The statement service is busy; try again later.").WithReason("vendor_rate")
)

// Take returns a key for one request. It waits for the key's turn, for use.Wait at most. It
// returns ErrBusy if that is too short, and ErrRefused or ErrOutOfCredits if no key can be
// used, with the time after which that may change.
func (p *Pool) Take(ctx context.Context, use Use) (*Key, error) {
	use.Wait = cmp.Or(use.Wait, p.Queue)
	var busy []string // keys without a turn
	var next time.Duration
	for {
		k, err := p.choose(use, busy, next)
		if err != nil || k.rate() == 0 {
			return k, err
		}
		wait, ok, err := p.Pacer.Reserve(ctx, k.Name, paceOf(k.rate(), use))
		switch {
		case err != nil:
			return nil, err
		case !ok:
			if busy = append(busy, k.Name); next == 0 || wait < next {
				next = wait
			}
			continue
		}
		waited, err := p.await(ctx, k, wait)
		if err != nil {
			return nil, err
		}
		if wait == 0 || p.usable(k) {
			return k, nil
		}
		use.Wait -= waited // for the turn of another key
	}
}

// await waits for d, until ctx ends, or until k cannot be used any more. It returns how
// long that took.
func (p *Pool) await(ctx context.Context, k *Key, d time.Duration) (time.Duration, error) {
	if d <= 0 {
		return 0, nil
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	began := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		p.mu.Lock()
		changed, usable := p.changed, k.key.usable(p.Now())
		p.mu.Unlock()
		if !usable {
			return time.Since(began), nil
		}
		select {
		case <-timer.C:
			return d, nil
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Waiting returns how many requests wait for the turn of a key.
func (p *Pool) Waiting() int { return int(p.waiting.Load()) }

// wakeUp has those who wait for a turn look at their keys again.
func (p *Pool) wakeUp() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// choose returns the next key for use. The keys in busy have no turn; the first of these
// turns is after next.
func (p *Pool) choose(use Use, busy []string, next time.Duration) (*Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	serving, now := p.serving(use.App, use.Only), p.Now()
	var ready []*key
	for _, k := range serving {
		if k.free(now) && k.Name != use.Except && !slices.Contains(busy, k.Name) {
			ready = append(ready, k)
		}
	}
	if ahead := slices.DeleteFunc(slices.Clone(ready), func(k *key) bool { return k.spent >= p.SwitchAt && p.SwitchAt > 0 }); len(ahead) > 0 {
		ready = ahead
	}
	if len(ready) == 0 {
		return nil, refusal(serving, now, next)
	}
	k := byWeight(ready)
	k.testUntil = now.Add(testPause)
	return &Key{Name: k.Name, Value: k.Value, pool: p, key: k, version: k.version, holds: k.holds, use: use}, nil
}

// serving returns the keys that app may use: the one called only, if there still is one of
// that name.
func (p *Pool) serving(app, only string) []*key {
	for _, k := range p.keys {
		if only != "" && k.Name == only {
			return []*key{k}
		}
	}
	var own, shared []*key
	for _, k := range p.keys {
		switch {
		case len(k.Apps) == 0:
			shared = append(shared, k)
		case slices.Contains(k.Apps, app):
			own = append(own, k)
		}
	}
	if len(own) > 0 {
		return own
	}
	return shared
}

// HasOwn reports whether app has keys of its own.
func (p *Pool) HasOwn(app string) bool {
	return slices.ContainsFunc(p.keys, func(k *key) bool { return slices.Contains(k.Apps, app) })
}

// byWeight returns one of keys, so that each is returned in proportion to its weight, and
// the keys alternate: this is nginx's smooth weighted round-robin.
func byWeight(keys []*key) *key {
	best, total := keys[0], 0
	for _, k := range keys {
		total += k.Weight
		if k.credit += k.Weight; k.credit > best.credit {
			best = k
		}
	}
	best.credit -= total
	return best
}

// refusal returns why none of keys can be used at now. next is when a key that is paced has
// a turn, 0 if none is.
func refusal(keys []*key, now time.Time, next time.Duration) error {
	if len(keys) == 0 {
		return ErrRefused.WithNotef("No key of upstream.keys serves this app.")
	}
	soonest := keys[0]
	credits := true
	for _, k := range keys {
		if k.reason == "" {
			if held := k.restsFor(now); held > 0 && (next == 0 || held < next) {
				next = held
			}
		}
		if k.retryAt.Before(soonest.retryAt) {
			soonest = k
		}
		credits = credits && k.reason == OutOfCredits
	}
	after := max(soonest.retryAt.Sub(now), time.Second)
	switch {
	case next > 0:
		return ErrBusy.After(next)
	case credits:
		return ErrOutOfCredits.After(after)
	default:
		return ErrRefused.After(after)
	}
}
