// Package auth authenticates callers: it verifies the JWT of a request with the
// configured verifiers and puts the Principal into the request's context. Require
// checks roles; all other authorization, revocation and blocks are in other packages.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"casbroker/internal/check"
)

// Options configure an Authenticator. Only Verifiers is required.
type Options struct {
	Verifiers   []Verifier   // one per issuer
	ServiceKeys []ServiceKey // of services that cannot sign JWTs

	// Cookie is the name of the cookie that pages of the same site may send instead of a
	// bearer token; "" accepts no cookie.
	Cookie string
	// TrustedOrigins ("https://app.example") may make state-changing calls with the
	// cookie, in addition to the broker's own origin.
	TrustedOrigins []string
	// PageOrigins are TrustedOrigins for all but RecordedMiddleware.
	PageOrigins []string

	CacheSize int              // bytes for verified tokens, about 90 each; 0 caches none, otherwise the minimum is 128 KiB
	Now       func() time.Time // nil means time.Now
	HTTP      *http.Client     // for key sets and discovery; nil means a client with a timeout
	Log       *slog.Logger     // nil discards
}

// Authenticator verifies callers. It is safe for concurrent use.
type Authenticator struct {
	byIssuer map[string]*verifier
	all      []*verifier
	// serviceKeys are few, so they are compared one by one. The list is replaced, not
	// changed.
	serviceKeys atomic.Pointer[[]serviceKey]
	replacing   sync.Mutex // held while keys are replaced
	// actsFor has the names of the verifiers whose users a service may act for, by the name
	// of the service's verifier, or by the Subject of its key.
	actsFor map[string][]string
	cache   *cache
	now     func() time.Time
	cookie  string
	// trusted has Options.TrustedOrigins, and pages has PageOrigins, too.
	trusted, pages *http.CrossOriginProtection
}

// New returns an Authenticator, or an error that names every invalid setting by its
// key. Key sets are loaded in the background until ctx ends; New does not wait for
// them, see Ready.
func New(ctx context.Context, opts Options) (*Authenticator, error) {
	opts = opts.withDefaults()
	a := &Authenticator{
		byIssuer: make(map[string]*verifier, len(opts.Verifiers)),
		actsFor:  make(map[string][]string),
		cache:    newCache(opts.CacheSize),
		now:      opts.Now,
		cookie:   opts.Cookie,
		trusted:  http.NewCrossOriginProtection(),
		pages:    http.NewCrossOriginProtection(),
	}
	var wrong check.Errors
	a.checkBrowserOptions(&wrong, opts)
	wrong.Require(opts.CacheSize >= 0, "auth.cache_size", "want 0 or more, not %d", opts.CacheSize)
	wrong.Require(len(opts.Verifiers) > 0, "auth.verifiers", "want at least one")
	a.addVerifiers(&wrong, opts)
	a.addServiceKeys(&wrong, opts)
	if len(wrong) > 0 {
		return nil, wrong.Join()
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

func (a *Authenticator) checkBrowserOptions(wrong *check.Errors, opts Options) {
	cookie := http.Cookie{Name: opts.Cookie} //nolint:gosec // never sent; only its name is checked
	wrong.Require(opts.Cookie == "" || cookie.Valid() == nil, "auth.cookie", "%q is not a valid cookie name", opts.Cookie)
	for i, origin := range opts.TrustedOrigins {
		err := a.trusted.AddTrustedOrigin(origin)
		_ = a.pages.AddTrustedOrigin(origin)
		wrong.Require(err == nil, fmt.Sprintf("auth.trusted_origins[%d]", i), "want an origin such as https://app.example: %v", err)
	}
	for i, origin := range opts.PageOrigins {
		err := a.pages.AddTrustedOrigin(origin)
		wrong.Require(err == nil, fmt.Sprintf("server.allowed_origins[%d]", i), "want an origin such as https://app.example: %v", err)
	}
}

func (a *Authenticator) addVerifiers(wrong *check.Errors, opts Options) {
	names := make(map[string]int, len(opts.Verifiers))
	issuers := make(map[string]int, len(opts.Verifiers))
	for i, settings := range opts.Verifiers {
		key := fmt.Sprintf("auth.verifiers[%d]", i)
		if first, twice := names[settings.Name]; twice {
			wrong.Add(key+".name", "%q is also the name of auth.verifiers[%d]", settings.Name, first)
		}
		if first, twice := issuers[settings.Issuer]; twice {
			wrong.Add(key+".issuer", "%q is also the issuer of auth.verifiers[%d]", settings.Issuer, first)
		}
		names[settings.Name], issuers[settings.Issuer] = i, i
		v := settings.build(wrong, key, opts)
		v.index = uint16(i)
		a.byIssuer[settings.Issuer] = v
		a.all = append(a.all, v)
		a.actsFor[settings.Name] = settings.ActsFor
	}
	for i, settings := range opts.Verifiers {
		a.checkActsFor(wrong, fmt.Sprintf("auth.verifiers[%d]", i), settings.ActsFor)
	}
}

// checkActsFor adds an error for each of names that is not the name of a verifier. key is
// that of the settings of the service.
func (a *Authenticator) checkActsFor(wrong *check.Errors, key string, names []string) {
	for i, name := range names {
		wrong.Require(a.hasVerifier(name), fmt.Sprintf("%s.acts_for[%d]", key, i), "there is no %q in auth.verifiers", name)
	}
}

func (a *Authenticator) hasVerifier(name string) bool {
	return slices.ContainsFunc(a.all, func(v *verifier) bool { return v.name == name })
}

// Authenticate verifies token and returns its Principal, which is shared and must not
// be changed. It returns ErrInvalidToken with a detail that says which check failed, or
// ErrUnavailable if the issuer's keys have never been loaded, or not for MaxKeyAge. It waits for a key set
// only if the token names an unknown key, for at most keyWait.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (*Principal, error) {
	if len(token) > MaxTokenSize {
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

// current reports whether the keys that e was verified with still count at now, in
// unix seconds.
func (a *Authenticator) current(e entry, now int64) bool {
	return a.all[e.verifier].keys.current(e.generation, now)
}

// verify makes every check of token. The claims are decoded before the signature is
// checked, because they name the issuer; nothing else of them is used until then.
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

// Ready returns nil once every verifier has keys, and otherwise an error that names
// those that have none.
func (a *Authenticator) Ready() error {
	var missing []error
	for _, v := range a.all {
		if err := v.keys.ready(a.now().Unix()); err != nil {
			missing = append(missing, fmt.Errorf("verifier %q %w", v.name, err))
		}
	}
	return errors.Join(missing...)
}

// CacheStats are the counters of the cache of verified tokens since the start.
type CacheStats struct {
	Hits    uint64
	Misses  uint64
	Entries int // held now, including expired ones that were not dropped yet
}

// CacheStats returns the cache's counters.
func (a *Authenticator) CacheStats() CacheStats { return a.cache.stats() }
