// Package auth answers who is calling: it verifies the JWT of a request against
// the configured verifiers and puts the Principal into the request's context.
// What a Principal may do is decided elsewhere, but for the roles that Require
// asks for; revocation and blocks are not its business either.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Options are what New needs. Verifiers is required.
type Options struct {
	Verifiers []Verifier // one per issuer

	// Cookie names the cookie that pages of the same site may send instead of a
	// bearer token; "" takes none.
	Cookie string
	// TrustedOrigins ("https://app.example") may make state-changing calls by cookie
	// besides the broker's own origin.
	TrustedOrigins []string

	CacheSize int              // bytes for verified tokens, about 90 each; 0 remembers none, the least else is 128 KiB
	Now       func() time.Time // nil is time.Now
	HTTP      *http.Client     // for key sets and discovery; nil is one with a timeout
	Log       *slog.Logger     // nil is none
}

// Authenticator verifies callers. It is safe for concurrent use.
type Authenticator struct {
	byIssuer map[string]*verifier
	all      []*verifier
	cache    *cache
	now      func() time.Time
	cookie   string
	origins  *http.CrossOriginProtection
}

// New returns an Authenticator, or everything that is wrong with opts at once,
// each fault naming its settings key. Key sets are loaded in the background until
// ctx ends; New does not wait for them, Ready tells when they are there.
func New(ctx context.Context, opts Options) (*Authenticator, error) {
	opts = opts.withDefaults()
	a := &Authenticator{
		byIssuer: make(map[string]*verifier, len(opts.Verifiers)),
		cache:    newCache(opts.CacheSize),
		now:      opts.Now,
		cookie:   opts.Cookie,
		origins:  http.NewCrossOriginProtection(),
	}
	var wrong complaints
	a.checkBrowserSide(&wrong, opts)
	wrong.when(opts.CacheSize < 0, "auth.cache_size", "want 0 or more, not %d", opts.CacheSize)
	wrong.when(len(opts.Verifiers) == 0, "auth.verifiers", "want at least one")
	a.addVerifiers(&wrong, opts)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	for _, v := range a.all {
		v.keys.start(ctx)
	}
	return a, nil
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (a *Authenticator) checkBrowserSide(wrong *complaints, opts Options) {
	cookie := http.Cookie{Name: opts.Cookie} //nolint:gosec // it is never sent, its name is checked
	wrong.when(opts.Cookie != "" && cookie.Valid() != nil, "auth.cookie", "%q cannot name a cookie", opts.Cookie)
	for i, origin := range opts.TrustedOrigins {
		err := a.origins.AddTrustedOrigin(origin)
		wrong.when(err != nil, fmt.Sprintf("auth.trusted_origins[%d]", i), "want an origin such as https://app.example: %v", err)
	}
}

func (a *Authenticator) addVerifiers(wrong *complaints, opts Options) {
	names := make(map[string]int, len(opts.Verifiers))
	issuers := make(map[string]int, len(opts.Verifiers))
	for i, settings := range opts.Verifiers {
		key := fmt.Sprintf("auth.verifiers[%d]", i)
		if first, twice := names[settings.Name]; twice {
			wrong.add(key+".name", "%q is also the name of auth.verifiers[%d]", settings.Name, first)
		}
		if first, twice := issuers[settings.Issuer]; twice {
			wrong.add(key+".issuer", "%q is also the issuer of auth.verifiers[%d]", settings.Issuer, first)
		}
		names[settings.Name], issuers[settings.Issuer] = i, i
		v := settings.build(wrong, key, opts)
		v.index = uint16(i)
		a.byIssuer[settings.Issuer] = v
		a.all = append(a.all, v)
	}
}

// Authenticate returns whom token speaks for; the Principal is shared and must
// not be changed. It returns ErrInvalidToken with a detail that says which check
// failed, or ErrUnavailable while the issuer's keys were never loaded. It waits
// for a key set for at most keyWait, and only when the token names an unknown key.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxTokenSize {
		return nil, errTooLong
	}
	key := digest(token)
	now := a.now()
	if who := a.cache.get(key, now.Unix(), a.current); who != nil {
		return who, nil
	}
	e, err := a.verify(ctx, token, now)
	if err != nil {
		return nil, err
	}
	a.cache.put(key, e)
	return e.who, nil
}

// current reports whether the keys that e was verified with are still in force.
func (a *Authenticator) current(e entry) bool {
	return a.all[e.verifier].keys.generation() == e.generation
}

// verify checks everything about token. The claims are decoded before the
// signature is checked, because they name the issuer; nothing else in them is
// looked at until then.
func (a *Authenticator) verify(ctx context.Context, token string, now time.Time) (entry, error) {
	t, err := parse(token)
	if err != nil {
		return entry{}, err
	}
	if t.claims.Issuer == "" {
		return entry{}, errNoIssuer
	}
	v, ok := a.byIssuer[t.claims.Issuer]
	if !ok {
		return entry{}, errIssuer
	}
	return v.verify(ctx, t, now)
}

// Ready returns nil once every verifier has keys, else an error that names those
// that have none.
func (a *Authenticator) Ready() error {
	var missing []error
	for _, v := range a.all {
		if !v.keys.loaded() {
			missing = append(missing, fmt.Errorf("verifier %q has not loaded its keys yet", v.name))
		}
	}
	return errors.Join(missing...)
}

// CacheStats are the counters of the cache of verified tokens since the start.
type CacheStats struct {
	Hits    uint64
	Misses  uint64
	Entries int // held now, those not yet noticed to be dead included
}

// CacheStats returns the cache's counters.
func (a *Authenticator) CacheStats() CacheStats { return a.cache.stats() }
