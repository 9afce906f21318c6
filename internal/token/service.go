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
	"casbroker/internal/id"
	"casbroker/internal/secret"
)

// Service issues access tokens. All fields but MinRemaining and Observe are
// required. It is safe for concurrent use.
type Service struct {
	Minter Minter
	Ledger Ledger
	Cache  Cache
	Box    *secret.Box
	Log    *slog.Logger
	Now    func() time.Time

	// MinRemaining is how much life a cached token needs to be given again; 0, and
	// whatever is more than half of the token's life, mean half of it.
	MinRemaining time.Duration
	// MintTimeout bounds one mint from first call to record; it goes on for the
	// others who wait when the caller who began it has gone.
	MintTimeout time.Duration
	// Observe is told how each request ended, if it is set: "minted", "reused" or "failed".
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
// it is left, else a new one is minted, recorded and cached. Of callers who need
// the same new token at the same time, one mints for all. Issue returns the
// Minter's or the Ledger's fault when no token can be had; a cache that fails
// only costs the reuse.
func (s *Service) Issue(ctx context.Context, who auth.Principal, life time.Duration, sealed []byte) (Issued, error) {
	key := Key(who.Subject, life)
	if t, ok := s.reuse(ctx, key, sealed); ok {
		s.observe("reused")
		return t, nil
	}
	t, err := s.share(ctx, key, who, life)
	switch {
	case err != nil:
		s.observe("failed")
	case t.Reused:
		s.observe("reused")
	default:
		s.observe("minted")
	}
	return t, err
}

// share waits for the one mint that is under way for key, or begins it.
func (s *Service) share(ctx context.Context, key string, who auth.Principal, life time.Duration) (Issued, error) {
	done := s.flights.DoChan(key, func() (issued any, err error) {
		defer func() { // nobody else could: the flight has a goroutine of its own
			if what := recover(); what != nil {
				s.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.MintTimeout)
		defer cancel()
		return s.lookOrMint(detached, key, who, life)
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
// between the caller's look and its turn.
func (s *Service) lookOrMint(ctx context.Context, key string, who auth.Principal, life time.Duration) (Issued, error) {
	sealed, err := s.Cache.Token(ctx, key)
	if err != nil {
		s.Log.WarnContext(ctx, "token cache cannot be read", "error", err)
	}
	if t, ok := s.reuse(ctx, key, sealed); ok {
		return t, nil
	}
	return s.mint(ctx, key, who, life)
}

func (s *Service) mint(ctx context.Context, key string, who auth.Principal, life time.Duration) (Issued, error) {
	issuedAt := s.Now() // before the call, so that we never think a token lives longer than it does
	minted, err := s.Minter.Mint(ctx, life)
	if err != nil {
		return Issued{}, fmt.Errorf("mint: %w", err)
	}
	r := record{
		value: minted.Value, grantID: id.New("gr"),
		issuedAt: issuedAt, expiresAt: issuedAt.Add(minted.ExpiresIn),
	}
	grant := Grant{
		ID: r.grantID, Subject: who.Subject, Mode: ModeDirect,
		IssuedAt: r.issuedAt, ExpiresAt: r.expiresAt, VendorRequestID: minted.RequestID,
	}
	entry := audit.New(ctx, issuedAt, who.Subject, audit.TokenMint, who.Subject, r.grantID)
	if err := s.Ledger.RecordGrant(ctx, grant, entry); err != nil {
		return Issued{}, fmt.Errorf("record grant: %w", err)
	}
	if err := s.Cache.KeepToken(ctx, key, s.Box.Seal(place(key), r.encode()), minted.ExpiresIn); err != nil {
		s.Log.WarnContext(ctx, "token cache cannot be written", "error", err)
	}
	return s.issued(r, false), nil
}

// reuse opens sealed and reports whether it may be given again now.
func (s *Service) reuse(ctx context.Context, key string, sealed []byte) (Issued, bool) {
	if len(sealed) == 0 {
		return Issued{}, false
	}
	plain, err := s.Box.Open(place(key), sealed)
	if err != nil {
		s.Log.WarnContext(ctx, "cached token cannot be opened", "error", err)
		return Issued{}, false
	}
	r, err := decodeRecord(plain)
	if err != nil {
		s.Log.WarnContext(ctx, "cached token cannot be read", "error", err)
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
