package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"casbroker/internal/apikey"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Service issues access tokens. All fields but MinRemaining, Ready, RecordReuse and Observe are
// required. It is safe for concurrent use and must not be copied.
type Service struct {
	Minter Minter
	Grants GrantStore
	Cache  Cache
	Access AccessPolicy
	Box    *secret.Box
	Log    *slog.Logger
	Now    func() time.Time

	// MinRemaining is how much of its life a cached token must have left to be reused; 0,
	// and more than half of the token's lifetime, mean half of it.
	MinRemaining time.Duration
	// MintTimeout bounds one mint, from the call to the grant's record. The mint goes on
	// for the other callers who wait for it when the one who began it has disconnected.
	MintTimeout time.Duration
	// Ready returns why grants cannot be recorded now. It is asked before the vendor, which
	// would mint a token for nothing. It may be nil.
	Ready func(ctx context.Context) error
	// RecordReuse records a reused token in the audit trail before it is handed out. If it
	// fails, the token is not handed out. It may be nil.
	RecordReuse func(ctx context.Context, actor, subject, grantID string) error
	// Observe is called with the outcome of each request: "minted", "reused", "refused"
	// (the caller may have no token) or "failed". It may be nil.
	Observe func(outcome string)

	mints singleflight.Group
}

// Issue returns a token for who as req asks for. sealed is what the cache holds under the
// key of the request, nil if nothing. That token is reused while
// MinRemaining of its life is left and it was not revoked; otherwise a new one is minted,
// recorded and cached. Concurrent callers who need the same new token share one mint, but
// no caller gets a token whose mint began before a change of access that was known when
// the caller came. Minting a gateway token does not call the vendor.
//
// Issue returns the fault of AccessPolicy, Minter, GrantStore or RecordReuse if it can
// hand out no token. A failing cache costs only the reuse.
func (s *Service) Issue(ctx context.Context, who auth.Principal, req Request, sealed []byte) (Issued, error) {
	t, err := s.issue(ctx, who, req, sealed)
	if err == nil && t.Reused && s.RecordReuse != nil {
		err = s.RecordReuse(ctx, who.Subject, who.Subject, t.GrantID)
	}
	if s.Observe != nil {
		s.Observe(outcome(t, err))
	}
	if err != nil {
		return Issued{}, err
	}
	return t, nil
}

func (s *Service) issue(ctx context.Context, who auth.Principal, req Request, sealed []byte) (Issued, error) {
	version, err := s.Access.Admit(who.Subject)
	if err != nil {
		return Issued{}, err
	}
	m := mintRequest{Request: req, key: req.cacheKey(who.Subject), version: version, by: who.By()}
	if t, ok := s.reuse(ctx, m, sealed); ok {
		return t, nil
	}
	return s.shareMint(ctx, m)
}

// outcome returns what Observe is called with.
func outcome(t Issued, err error) string {
	switch {
	case err != nil:
		return outcomeOf(err)
	case t.Reused:
		return "reused"
	default:
		return "minted"
	}
}

// outcomeOf is the outcome of a request that failed with err. It is a function of its own since
// its variable is allocated.
func outcomeOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind == fault.Forbidden {
		return "refused"
	}
	return "failed"
}

// mintRequest is a request for a token that the caller's cached one does not answer.
type mintRequest struct {
	Request
	key     CacheKey
	version int64  // from AccessPolicy.Admit
	by      string // who asks: the user or a service
	alone   bool   // the token is not cached
}

// shareMint waits for a mint under way that was requested with the same key, features and
// version by the same caller, or begins one.
func (s *Service) shareMint(ctx context.Context, req mintRequest) (Issued, error) {
	flight := strconv.FormatInt(req.version, 10) + "|" + strconv.Itoa(int(req.Features)) + "|" + req.key.String() + "\n" + req.by
	done := s.mints.DoChan(flight, func() (issued any, err error) {
		defer func() { // DoChan runs this in its own goroutine, where a panic would end the process
			if reason := recover(); reason != nil {
				s.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.MintTimeout)
		defer cancel()
		return s.reuseOrMint(detached, req)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return Issued{}, r.Err
		}
		return r.Val.(Issued), nil //nolint:errcheck // reuseOrMint returns an Issued
	case <-ctx.Done():
		return Issued{}, context.Cause(ctx)
	}
}

var errPanic = errors.New("panic while minting; see the log for the stack")

// reuseOrMint reads the cache again, since another mint may have ended after the caller
// read it, or this replica may have a copy of a token that the shared cache lost. If the new token was revoked during the mint, it mints once more with the
// latest version.
func (s *Service) reuseOrMint(ctx context.Context, req mintRequest) (Issued, error) {
	sealed, err := s.Cache.Token(ctx, req.key)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot read the token cache", "error", err)
	}
	if _, ok := s.reuse(ctx, req, sealed); ok {
		if req, err = s.catchUp(ctx, req); err != nil {
			return Issued{}, err
		}
		if t, ok := s.reuse(ctx, req, sealed); ok {
			s.keep(ctx, req, sealed, t.ExpiresAt)
			return t, nil
		}
	}
	t, err := s.mint(ctx, req)
	if !errors.Is(err, ErrRevoked) {
		return t, err
	}
	if err := s.Access.CatchUp(ctx, req.version+1); err != nil {
		return Issued{}, err
	}
	if req.version, err = s.Access.Admit(req.key.Subject); err != nil {
		return Issued{}, err
	}
	return s.mint(ctx, req)
}

// catchUp learns of all revocations before a token is reused that the shared cache did not
// have for the caller. It may have been deleted there because its user was erased, which this
// replica need not know yet. If the database is unavailable, the view decides by its age.
func (s *Service) catchUp(ctx context.Context, req mintRequest) (_ mintRequest, err error) {
	if err := s.Access.CatchUp(ctx, req.version+1); err != nil {
		s.Log.WarnContext(ctx, "a cached token is reused without the latest revocations", "error", err)
	}
	req.version, err = s.Access.Admit(req.key.Subject)
	return req, err
}

func (s *Service) keep(ctx context.Context, req mintRequest, sealed []byte, expiresAt time.Time) {
	if err := s.Cache.KeepToken(ctx, req.key, sealed, expiresAt.Sub(s.Now())); err != nil {
		s.Log.WarnContext(ctx, "cannot write the token cache", "error", err)
	}
}

func (s *Service) mint(ctx context.Context, req mintRequest) (Issued, error) {
	if s.Ready != nil && req.Mode != ModeGateway {
		if err := s.Ready(ctx); err != nil {
			return Issued{}, fmt.Errorf("record grant: %w", err)
		}
	}
	// The time is from before the call, so that expiresAt is never later than the vendor's.
	t := cachedToken{grantID: id.New("gr"), version: req.version, issuedAt: s.Now()}
	var err error
	var vendorRequestID string
	if req.Mode == ModeGateway {
		t.expiresAt, t.features = t.issuedAt.Add(req.TTL).Truncate(time.Second), req.Features
		t.value, err = GatewayToken{
			Subject: req.key.Subject, GrantID: t.grantID, ExpiresAt: t.expiresAt, Features: req.Features, Version: t.version,
		}.seal(s.Box)
	} else {
		var minted Minted
		minted, err = s.Minter.Mint(apikey.WithApp(ctx, apikey.AppOf(req.key.Subject)), req.TTL)
		t.value, t.expiresAt, vendorRequestID = minted.Value, t.issuedAt.Add(minted.ExpiresIn), minted.RequestID
	}
	if err != nil {
		return Issued{}, fmt.Errorf("mint: %w", err)
	}
	if err := s.record(ctx, req, t, vendorRequestID); err != nil {
		return Issued{}, err
	}
	if !req.alone {
		s.keep(ctx, req, s.Box.Seal(req.key.associatedData(), t.encode()), t.expiresAt)
	}
	return s.issued(req, t, false), nil
}

// record makes the grant of t durable. It returns an error if t must not be handed out
// because it was revoked, or its user blocked, since the mint began.
func (s *Service) record(ctx context.Context, req mintRequest, t cachedToken, vendorRequestID string) error {
	subject := req.key.Subject
	grant := Grant{
		ID: t.grantID, Subject: subject, Mode: cmp.Or(req.Mode, ModeDirect), IssuedAt: t.issuedAt, ExpiresAt: t.expiresAt,
		VendorRequestID: vendorRequestID, AccessVersion: t.version, TokenHash: hash(s.Box, t.value),
	}
	entry := audit.New(ctx, t.issuedAt, subject, audit.TokenMint, subject, t.grantID)
	if grant.Mode != ModeDirect {
		entry = entry.WithDetail("mode=" + string(grant.Mode))
	}
	if err := s.Grants.RecordGrant(ctx, grant, entry); err != nil {
		return fmt.Errorf("record grant: %w", err)
	}
	if _, err := s.Access.Admit(subject); err != nil {
		return err
	}
	if !s.Access.Valid(subject, t.grantID, t.version) {
		return ErrRevoked
	}
	return nil
}

// reuse opens the sealed token and reports whether it may be handed out again for req.
func (s *Service) reuse(ctx context.Context, req mintRequest, sealed []byte) (Issued, bool) {
	key := req.key
	if len(sealed) == 0 {
		return Issued{}, false
	}
	plain, err := s.Box.Open(key.associatedData(), sealed)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot open a cached token", "error", err)
		return Issued{}, false
	}
	t, err := decodeCachedToken(plain)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot read a cached token", "error", err)
		return Issued{}, false
	}
	if !s.Access.Valid(key.Subject, t.grantID, t.version) {
		return Issued{}, false
	}
	if req.Mode == ModeGateway && t.features != req.Features {
		return Issued{}, false
	}
	issued := s.issued(req, t, true)
	return issued, s.Now().Before(issued.RefreshAfter)
}

// issued returns t for the caller. If t was issued by a clock that is ahead of this one, its
// times are as if it were issued now: a token never has more left than the vendor granted.
func (s *Service) issued(req mintRequest, t cachedToken, reused bool) Issued {
	if ahead := t.issuedAt.Sub(s.Now()); ahead > 0 {
		t.issuedAt, t.expiresAt = t.issuedAt.Add(-ahead), t.expiresAt.Add(-ahead)
	}
	return Issued{
		Value: t.value, Mode: cmp.Or(req.Mode, ModeDirect), GrantID: t.grantID, Reused: reused,
		IssuedAt: t.issuedAt, ExpiresAt: t.expiresAt, Features: req.Features,
		RefreshAfter: t.expiresAt.Add(-s.minRemaining(t.expiresAt.Sub(t.issuedAt))),
	}
}

// minRemaining is how much of its lifetime ttl a token must have left to be reused.
func (s *Service) minRemaining(ttl time.Duration) time.Duration {
	half := ttl / 2
	if s.MinRemaining <= 0 || s.MinRemaining > half {
		return half
	}
	return s.MinRemaining
}

// Forget removes all tokens of subject from the cache. They work until they expire; the
// next request of subject mints a new one.
func (s *Service) Forget(ctx context.Context, subject string) error {
	for ttl := time.Minute; ttl <= MaxTTL; ttl += time.Minute {
		for _, mode := range []Mode{ModeDirect, ModeGateway} {
			key := Request{TTL: ttl, Mode: mode}.cacheKey(subject)
			if err := s.Cache.KeepToken(ctx, key, nil, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}
