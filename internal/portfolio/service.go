package portfolio

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/statement"
)

// saveTimeout bounds one save, from first to last statement. It goes on when the
// caller has gone: the payload is whole, and a retry will find it.
const saveTimeout = 20 * time.Second

// routeSave is what the keys of saves are kept under.
const routeSave = "POST /v1/portfolios"

var (
	errSlow = fault.New(fault.Unavailable, "save_unavailable",
		"Saving takes longer than it may; nothing was kept. Try again.").After(5 * time.Second)
	errNone = ErrNotFound.Withf("You have no portfolio yet; save one first.")
)

// Service saves and finds portfolios. Keeper, Finder, Keys, Log and Now are
// required. It is safe for concurrent use.
type Service struct {
	Keeper Keeper
	Finder Finder
	Keys   Keys
	Log    *slog.Logger
	Now    func() time.Time

	// Observe is told of each save that did not fail, whether it kept something new; nil
	// for nobody.
	Observe func(created bool)
	// RefuseOther has statements with the PAN of another person than the user's
	// earlier ones refused with ErrOtherOwner, where they are kept apart otherwise.
	RefuseOther bool
}

// Save keeps the statement in body for who. When it returns an Answer, the
// portfolio is durable and there once, however often and from wherever the same
// statement was saved. key is the caller's Idempotency-Key or "". The error is a
// fault for all that a caller can do wrong; nothing was kept then, and the key is
// free again.
func (s *Service) Save(ctx context.Context, who auth.Principal, body []byte, key string) (Answer, error) {
	a, err := s.save(ctx, who, body, key)
	if err == nil && s.Observe != nil {
		s.Observe(a.Created && !a.Replayed)
	}
	return a, err
}

func (s *Service) save(ctx context.Context, who auth.Principal, body []byte, key string) (Answer, error) {
	st, err := statement.Parse(body, s.Now())
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), saveTimeout, errSlow)
	defer cancel()
	if key == "" {
		return s.keep(ctx, who, body, st, nil)
	}
	now := s.Now()
	claim := Claim{
		Subject: who.Subject, Route: routeSave, Key: key, Body: sha256.Sum256(body), Holder: id.New("cl"),
		At: now, Until: now.Add(keyLease), Expires: now.Add(keyLife),
	}
	earlier, err := s.Keys.ClaimKey(ctx, claim)
	switch {
	case err != nil:
		return Answer{}, err
	case earlier != nil:
		return *earlier, nil
	}
	a, err := s.keep(ctx, who, body, st, &claim)
	if err != nil {
		s.release(ctx, claim)
	}
	return a, err
}

func (s *Service) keep(ctx context.Context, who auth.Principal, body []byte, st *statement.Statement, claim *Claim) (Answer, error) {
	now := s.Now().UTC().Truncate(time.Millisecond) // as it will be read again
	p := Portfolio{ID: id.New("pf"), Subject: who.Subject, Provenance: Reported, SavedAt: now, Summary: st.Summary}
	return s.Keeper.SavePortfolio(ctx, Saving{
		Portfolio: p, Statement: *st, Payload: body, RefuseOther: s.RefuseOther, Claim: claim, Render: renderSaved,
		Record: audit.New(ctx, now, who.Subject, audit.PortfolioSave, who.Subject, p.ID),
	})
}

// release frees a key at once. When that fails, the end of its lease does.
func (s *Service) release(ctx context.Context, c Claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.Keys.ReleaseKey(ctx, c); err != nil {
		s.Log.WarnContext(ctx, "idempotency key stays claimed until its lease ends", "error", err)
	}
}

// Delete removes a portfolio of who for good. It returns ErrNotFound when there is
// none with this id.
func (s *Service) Delete(ctx context.Context, who auth.Principal, portfolioID string) error {
	if !id.Is("pf", portfolioID) {
		return ErrNotFound
	}
	r := audit.New(ctx, s.Now(), who.Subject, audit.PortfolioDelete, who.Subject, portfolioID)
	return s.Keeper.DeletePortfolio(ctx, who.Subject, portfolioID, r)
}

// List returns the portfolios of who that q asks for, newest first, and where to go
// on; nil says that these were the last.
func (s *Service) List(ctx context.Context, who auth.Principal, q Query) ([]Portfolio, *Position, error) {
	limit := q.Limit
	q.Limit++ // one more tells whether there are more
	list, err := s.Finder.Portfolios(ctx, who.Subject, q)
	if err != nil || len(list) <= limit {
		return list, nil, err
	}
	last := list[limit-1]
	return list[:limit], &Position{SavedAt: last.SavedAt, ID: last.ID}, nil
}

// Latest returns the portfolio of who whose period ends last, of those the one
// that was saved last, with all of its holdings; statements with another person's
// PAN are none of them. It returns ErrNotFound when nothing was saved.
func (s *Service) Latest(ctx context.Context, who auth.Principal) (Portfolio, []statement.Holding, error) {
	portfolioID, err := s.Finder.LatestPortfolio(ctx, who.Subject)
	switch {
	case errors.Is(err, ErrNotFound):
		return Portfolio{}, nil, errNone
	case err != nil:
		return Portfolio{}, nil, err
	}
	return s.Get(ctx, who, portfolioID)
}

// Get returns a portfolio of who with all of its holdings, or ErrNotFound.
func (s *Service) Get(ctx context.Context, who auth.Principal, portfolioID string) (Portfolio, []statement.Holding, error) {
	p, holdings, err := s.find(ctx, who, portfolioID, 0, statement.MaxRows)
	if err == nil && len(holdings) != p.StoredRows {
		return p, nil, ErrNotFound // deleted between the two looks
	}
	return p, holdings, err
}

// Holdings returns up to limit holdings of a portfolio of who, from number first
// on, and the number to go on with; 0 says that these were the last.
func (s *Service) Holdings(ctx context.Context, who auth.Principal, portfolioID string, first, limit int) ([]statement.Holding, int, error) {
	_, holdings, err := s.find(ctx, who, portfolioID, first, limit+1)
	if err != nil || len(holdings) <= limit {
		return holdings, 0, err
	}
	return holdings[:limit], holdings[limit].Seq, nil
}

// Transactions returns up to limit transactions of a portfolio of who, from number
// first on, and the number to go on with; 0 says that these were the last. With
// holding, which is AllHoldings or a number, it returns those of that holding
// alone. It returns ErrNotFound when there is no such portfolio, and a fault when
// that has no such holding.
func (s *Service) Transactions(ctx context.Context, who auth.Principal, portfolioID string, holding, first, limit int) ([]statement.Transaction, int, error) {
	if !id.Is("pf", portfolioID) {
		return nil, 0, ErrNotFound
	}
	if holding != AllHoldings {
		p, _, err := s.Finder.Portfolio(ctx, who.Subject, portfolioID, 0, 0)
		switch {
		case err != nil:
			return nil, 0, err
		case holding >= p.StoredRows:
			return nil, 0, errHolding
		}
	}
	list, err := s.Finder.Transactions(ctx, who.Subject, portfolioID, holding, first, limit+1)
	if err != nil || len(list) <= limit {
		return list, 0, err
	}
	return list[:limit], list[limit].Seq, nil
}

// Payload returns what was received for a portfolio of who, ErrNotFound, or
// ErrUnreadable.
func (s *Service) Payload(ctx context.Context, who auth.Principal, portfolioID string) ([]byte, error) {
	if !id.Is("pf", portfolioID) {
		return nil, ErrNotFound
	}
	return s.Finder.Payload(ctx, who.Subject, portfolioID)
}

// Purge forgets the Idempotency-Keys that have expired, and says how many. It is
// to be called now and then.
func (s *Service) Purge(ctx context.Context) (int64, error) { return s.Keys.PurgeKeys(ctx, s.Now()) }

func (s *Service) find(ctx context.Context, who auth.Principal, portfolioID string, first, limit int) (Portfolio, []statement.Holding, error) {
	if !id.Is("pf", portfolioID) {
		return Portfolio{}, nil, ErrNotFound
	}
	return s.Finder.Portfolio(ctx, who.Subject, portfolioID, first, limit)
}
