package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Service issues access tokens. All fields but MinRemaining and Observe are
// required. It is safe for concurrent use.
type Service struct {
	Minter Minter
	Ledger Ledger
	Cache  Cache
	Gate   Gate
	Box    *secret.Box
	Log    *slog.Logger
	Now    func() time.Time

	// MinRemaining is how much life a cached token needs to be given again; 0, and
	// whatever is more than half of the token's life, mean half of it.
	MinRemaining time.Duration
	// MintTimeout bounds one mint from first call to record; it goes on for the
	// others who wait when the caller who began it has gone.
	MintTimeout time.Duration
	// Observe is told how each request ended, if it is set: "minted", "reused",
	// "refused" when the caller may have no token, or "failed".
	Observe func(outcome string)

	flights singleflight.Group
}

// Key names the cached token of subject that lives for life. Tokens of different
// lives are kept apart, so that nobody gets one that lives longer than asked for.
func Key(subject string, life time.Duration) string {
	return subject + "|" + strconv.Itoa(int(life/time.Minute))
}

// Issue returns a token for who that lives for life or less. sealed is what the
// cache holds under Key, nil if nothing; it is given again while MinRemaining of
// it is left and it was not revoked, else a new one is minted, recorded and cached.
// Of callers who need the same new token at the same time, one mints for all; but
// nobody gets one whose mint began before a change that the Gate knew when they came.
// Issue returns the Gate's, the Minter's or the Ledger's fault when no token can be
// had; a cache that fails only costs the reuse.
func (s *Service) Issue(ctx context.Context, who auth.Principal, life time.Duration, sealed []byte) (Issued, error) {
	version, err := s.Gate.Admit(who.Subject)
	if err != nil {
		s.observe(ending(err))
		return Issued{}, err
	}
	order := order{who: who, key: Key(who.Subject, life), life: life, version: version}
	if t, ok := s.reuse(ctx, order, sealed); ok {
		s.observe("reused")
		return t, nil
	}
	t, err := s.share(ctx, order)
	switch {
	case err != nil:
		s.observe(ending(err))
	case t.Reused:
		s.observe("reused")
	default:
		s.observe("minted")
	}
	return t, err
}

// ending says how a request ended that came to nothing: refused when the caller may
// have no token, else failed.
func ending(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind == fault.Forbidden {
		return "refused"
	}
	return "failed"
}

// order is one token that is asked for.
type order struct {
	who     auth.Principal
	key     string // in the cache
	life    time.Duration
	version int64 // what the Gate knew when it was asked for
}

// flight names the mint that the order may share.
func (o order) flight() string { return strconv.FormatInt(o.version, 10) + "|" + o.key }

// share waits for the one mint that is under way for the order, or begins it.
func (s *Service) share(ctx context.Context, o order) (Issued, error) {
	done := s.flights.DoChan(o.flight(), func() (issued any, err error) {
		defer func() { // nobody else could: the flight has a goroutine of its own
			if what := recover(); what != nil {
				s.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.MintTimeout)
		defer cancel()
		return s.lookOrMint(detached, o)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return Issued{}, r.Err
		}
		return r.Val.(Issued), nil //nolint:errcheck // lookOrMint returns nothing else
	case <-ctx.Done():
		return Issued{}, context.Cause(ctx)
	}
}

var errPanic = errors.New("panic while minting; the log has the stack")

// lookOrMint asks the cache once more, since another flight may just have landed
// between the caller's look and its turn. A token that a revocation outran is minted
// once more, with what the Gate knows by then.
func (s *Service) lookOrMint(ctx context.Context, o order) (Issued, error) {
	sealed, err := s.Cache.Token(ctx, o.key)
	if err != nil {
		s.Log.WarnContext(ctx, "token cache cannot be read", "error", err)
	}
	if t, ok := s.reuse(ctx, o, sealed); ok {
		return t, nil
	}
	t, err := s.mint(ctx, o)
	if !errors.Is(err, ErrRevoked) {
		return t, err
	}
	if err := s.Gate.CatchUp(ctx, o.version+1); err != nil {
		return Issued{}, err
	}
	if o.version, err = s.Gate.Admit(o.who.Subject); err != nil {
		return Issued{}, err
	}
	return s.mint(ctx, o)
}

func (s *Service) mint(ctx context.Context, o order) (Issued, error) {
	issuedAt := s.Now() // before the call, so that we never think a token lives longer than it does
	minted, err := s.Minter.Mint(ctx, o.life)
	if err != nil {
		return Issued{}, fmt.Errorf("mint: %w", err)
	}
	r := record{
		value: minted.Value, grantID: id.New("gr"), version: o.version,
		issuedAt: issuedAt, expiresAt: issuedAt.Add(minted.ExpiresIn),
	}
	if err := s.record(ctx, o, r, minted.RequestID); err != nil {
		return Issued{}, err
	}
	if err := s.Cache.KeepToken(ctx, o.key, s.Box.Seal(place(o.key), r.encode()), minted.ExpiresIn); err != nil {
		s.Log.WarnContext(ctx, "token cache cannot be written", "error", err)
	}
	return s.issued(r, false), nil
}

// record makes the grant durable. It fails when the token must not be handed out: it
// was revoked, or its user blocked, before that or since.
func (s *Service) record(ctx context.Context, o order, r record, vendorRequestID string) error {
	subject := o.who.Subject
	grant := Grant{
		ID: r.grantID, Subject: subject, Mode: ModeDirect, IssuedAt: r.issuedAt, ExpiresAt: r.expiresAt,
		VendorRequestID: vendorRequestID, AccessVersion: r.version, Mark: markOf(s.Box, r.value),
	}
	entry := audit.New(ctx, r.issuedAt, subject, audit.TokenMint, subject, r.grantID)
	if err := s.Ledger.RecordGrant(ctx, grant, entry); err != nil {
		return fmt.Errorf("record grant: %w", err)
	}
	if _, err := s.Gate.Admit(subject); err != nil {
		return err
	}
	if !s.Gate.Valid(subject, r.grantID, r.version) {
		return ErrRevoked
	}
	return nil
}

// reuse opens sealed and reports whether it may be given again now.
func (s *Service) reuse(ctx context.Context, o order, sealed []byte) (Issued, bool) {
	if len(sealed) == 0 {
		return Issued{}, false
	}
	plain, err := s.Box.Open(place(o.key), sealed)
	if err != nil {
		s.Log.WarnContext(ctx, "cached token cannot be opened", "error", err)
		return Issued{}, false
	}
	r, err := decodeRecord(plain)
	if err != nil {
		s.Log.WarnContext(ctx, "cached token cannot be read", "error", err)
		return Issued{}, false
	}
	if !s.Gate.Valid(o.who.Subject, r.grantID, r.version) {
		return Issued{}, false
	}
	t := s.issued(r, true)
	return t, s.Now().Before(t.RefreshAfter)
}

func (s *Service) issued(r record, reused bool) Issued {
	return Issued{
		Value: r.value, GrantID: r.grantID, Reused: reused,
		IssuedAt: r.issuedAt, ExpiresAt: r.expiresAt,
		RefreshAfter: r.expiresAt.Add(-s.keepBack(r.expiresAt.Sub(r.issuedAt))),
	}
}

// keepBack is how much of a token's life must be left for it to be given again.
func (s *Service) keepBack(life time.Duration) time.Duration {
	half := life / 2
	if s.MinRemaining <= 0 || s.MinRemaining > half {
		return half
	}
	return s.MinRemaining
}

func (s *Service) observe(outcome string) {
	if s.Observe != nil {
		s.Observe(outcome)
	}
}

func place(key string) string { return "token/" + key }
