package portfolio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/statement"
)

// saveTimeout bounds one save, from its first to its last SQL statement. A save
// continues when the caller disconnects: the payload is complete, and a retry finds it.
const saveTimeout = 20 * time.Second

// routeSave is the route under which Idempotency-Keys of saves are stored.
const routeSave = "POST /v1/portfolios"

var (
	errSaveTimeout = fault.New(fault.Unavailable, "save_unavailable",
		"Saving took too long; nothing was saved. Try again.").After(5 * time.Second)
	errNoPortfolio = ErrNotFound.Withf("You have no portfolio yet; save one first.")
)

// Service saves and reads portfolios. Store, Reader, Keys, Log and Now are required. It
// is safe for concurrent use.
type Service struct {
	Store  Store
	Reader Reader
	Keys   KeyStore
	Log    *slog.Logger
	Now    func() time.Time

	// Observe is called after each save that succeeded, with whether it created a
	// portfolio. nil means not at all.
	Observe func(created bool)
	// OnSaved is called after each save that succeeded and was not a repeated request, with
	// whether it created a portfolio. nil means not at all.
	OnSaved func(st *statement.Statement, created bool)
	// Settle waits until the answers that the vendor has just given to subject are saved. A
	// browser can post a statement, or ask for the latest, before that. nil means that there
	// are none.
	Settle func(ctx context.Context, subject string)
	// RefuseOther refuses statements with a PAN that contradicts the user's earlier ones,
	// with ErrOtherOwner. Otherwise they are saved for another owner.
	RefuseOther bool
	// Quota bounds what is stored for each user.
	Quota Quota
}

// Save stores the statement in body for who. When it returns a SaveResult, the portfolio
// is durable and stored once, even if the same statement is saved several times and from
// several replicas. key is the caller's Idempotency-Key or "". Every mistake of the
// caller is returned as a fault; then nothing was stored and the key is free again.
func (s *Service) Save(ctx context.Context, who auth.Principal, body []byte, key string) (SaveResult, error) {
	res, err := s.save(ctx, who, body, key)
	if err == nil && s.Observe != nil {
		s.Observe(res.Created && !res.Replayed)
	}
	return res, err
}

func (s *Service) save(ctx context.Context, who auth.Principal, body []byte, key string) (SaveResult, error) {
	st, err := statement.Parse(body, s.Now())
	if err != nil {
		return SaveResult{}, err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), saveTimeout, errSaveTimeout)
	defer cancel()
	s.settle(ctx, who)
	if key == "" {
		return s.store(ctx, who, body, st, nil)
	}
	claim := s.newClaim(who, routeSave, key)
	claim.Body = sha256.Sum256(body)
	held, earlier, err := s.claimKey(ctx, claim)
	switch {
	case err != nil:
		return SaveResult{}, err
	case earlier != nil:
		return *earlier, nil
	}
	defer held.end()
	res, err := s.store(ctx, who, body, st, &held.claim)
	if err != nil {
		held.free(ctx)
	}
	return res, err
}

func (s *Service) store(ctx context.Context, who auth.Principal, body []byte, st *statement.Statement, claim *Claim) (SaveResult, error) {
	now := s.Now().UTC().Truncate(time.Millisecond) // the precision of the store
	p := Portfolio{
		ID: id.New("pf"), Subject: who.Subject, Provenance: Reported, SavedAt: now, Metadata: st.Metadata, Summary: st.Summary,
	}
	save := SaveRequest{
		Portfolio: p, Statement: *st, Payload: body, RefuseOther: s.RefuseOther, Quota: s.Quota, Claim: claim, Render: rendererOf(st),
		Record: audit.New(ctx, now, who.Subject, audit.PortfolioSave, who.Subject, p.ID),
	}
	if s.Settle != nil {
		save.ObservedSince = now.Add(-observedFor)
	}
	if err := s.compare(ctx, &save); err != nil {
		return SaveResult{}, err
	}
	res, err := s.Store.SavePortfolio(ctx, save)
	s.saved(st, res, err)
	return res, err
}

// keyRoute returns the route under which the Idempotency-Keys of who are stored. A service
// that acts for a user has keys of its own: it must not get the answer to a request that it
// did not make, nor must the user or another service.
func keyRoute(route string, who auth.Principal) string {
	if who.Actor == "" {
		return route
	}
	return route + " by " + who.Actor
}

// saved calls OnSaved, if there is one and the save succeeded.
func (s *Service) saved(st *statement.Statement, res SaveResult, err error) {
	if err == nil && s.OnSaved != nil && !res.Replayed {
		s.OnSaved(st, res.Created)
	}
}

// settle calls Settle, if there is one.
func (s *Service) settle(ctx context.Context, who auth.Principal) {
	if s.Settle != nil {
		s.Settle(ctx, who.Subject)
	}
}

// release frees a key at once. If that fails, the key is free when its lease ends.
func (s *Service) release(ctx context.Context, c Claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.Keys.ReleaseKey(ctx, c); err != nil {
		s.Log.WarnContext(ctx, "idempotency key stays claimed until its lease ends", "error", err)
	}
}

// Delete removes a portfolio of who permanently. It returns ErrNotFound if there is none
// with this id.
func (s *Service) Delete(ctx context.Context, who auth.Principal, portfolioID string) error {
	if !isPortfolioID(portfolioID) {
		return ErrNotFound
	}
	r := audit.New(ctx, s.Now(), who.Subject, audit.PortfolioDelete, who.Subject, portfolioID)
	return s.Store.DeletePortfolio(ctx, who.Subject, portfolioID, r)
}

// List returns the portfolios of who that q selects, newest first, and the cursor of the
// next page, nil on the last page. It returns a fault for an owner that who does not have.
func (s *Service) List(ctx context.Context, who auth.Principal, q Query) ([]Portfolio, *Cursor, error) {
	if q.After == (Cursor{}) {
		s.settle(ctx, who)
	}
	limit := q.Limit
	q.Limit++ // one more shows whether there is a next page
	list, err := s.Reader.Portfolios(ctx, who.Subject, q)
	if err == nil && len(list) == 0 && q.Only.Owner != 0 {
		var owners []Owner
		if _, owners, _, err = s.Reader.AccountStatements(ctx, who.Subject); err == nil && !hasOwner(owners, q.Only.Owner) {
			err = errNoOwner
		}
	}
	if err != nil || len(list) <= limit {
		return list, nil, err
	}
	last := list[limit-1]
	return list[:limit], &Cursor{SavedAt: last.SavedAt, ID: last.ID}, nil
}

// Latest returns the portfolio of who whose period ends last, and of several the one
// saved last, with all its holdings. Statements of other owners are not considered. It
// returns ErrNotFound if nothing was saved.
func (s *Service) Latest(ctx context.Context, who auth.Principal) (Portfolio, []statement.Holding, error) {
	s.settle(ctx, who)
	p, rows, err := s.Reader.Latest(ctx, who.Subject)
	if errors.Is(err, ErrNotFound) {
		err = errNoPortfolio
	}
	return p, rows, err
}

// LatestVersion returns the Version of what Latest returns. It waits for statements that are
// being saved.
func (s *Service) LatestVersion(ctx context.Context, who auth.Principal) (string, error) {
	s.settle(ctx, who)
	version, err := s.Reader.LatestVersion(ctx, who.Subject)
	if errors.Is(err, ErrNotFound) {
		err = errNoPortfolio
	}
	return version, err
}

// Version returns the Version of a portfolio of who, or ErrNotFound.
func (s *Service) Version(ctx context.Context, who auth.Principal, portfolioID string) (string, error) {
	if !isPortfolioID(portfolioID) {
		return "", ErrNotFound
	}
	return s.Reader.PortfolioVersion(ctx, who.Subject, portfolioID)
}

// Get returns a portfolio of who with all its holdings, or ErrNotFound.
func (s *Service) Get(ctx context.Context, who auth.Principal, portfolioID string) (Portfolio, []statement.Holding, error) {
	p, holdings, err := s.read(ctx, who, portfolioID, 0, statement.MaxRows)
	if err == nil && len(holdings) != p.StoredRows {
		return p, nil, ErrNotFound // deleted between the two queries
	}
	return p, holdings, err
}

// Holdings returns a portfolio of who with up to limit of its holdings, from number first on,
// and the number that the next page starts with, 0 on the last page.
func (s *Service) Holdings(ctx context.Context, who auth.Principal, portfolioID string, first, limit int) (Portfolio, []statement.Holding, int, error) {
	p, holdings, err := s.read(ctx, who, portfolioID, first, limit+1)
	if err != nil || len(holdings) <= limit {
		return p, holdings, 0, err
	}
	return p, holdings[:limit], holdings[limit].Seq, nil
}

// Transactions returns up to limit transactions of a portfolio of who, from number first
// on, and the number that the next page starts with, 0 on the last page. holding is
// AllHoldings or the number of one holding. It returns ErrNotFound if there is no such
// portfolio, and another fault if the portfolio has no such holding.
func (s *Service) Transactions(ctx context.Context, who auth.Principal, portfolioID string, holding, first, limit int) ([]statement.Transaction, int, error) {
	if !isPortfolioID(portfolioID) {
		return nil, 0, ErrNotFound
	}
	if holding != AllHoldings {
		p, _, err := s.Reader.Portfolio(ctx, who.Subject, portfolioID, 0, 0)
		switch {
		case err != nil:
			return nil, 0, err
		case holding >= p.StoredRows:
			return nil, 0, errHolding
		}
	}
	list, err := s.Reader.Transactions(ctx, who.Subject, portfolioID, holding, first, limit+1)
	if err != nil || len(list) <= limit {
		return list, 0, err
	}
	return list[:limit], list[limit].Seq, nil
}

// Payload returns the payload of a portfolio of who as it was received, ErrNotFound, or
// ErrUnreadable. If metadata was added to the portfolio later, the payload is the member
// data of an object that has the metadata, too, as the widget gives both.
func (s *Service) Payload(ctx context.Context, who auth.Principal, portfolioID string) ([]byte, error) {
	if !isPortfolioID(portfolioID) {
		return nil, ErrNotFound
	}
	payload, err := s.Reader.Payload(ctx, who.Subject, portfolioID)
	if err != nil {
		return nil, err
	}
	p, _, err := s.Reader.Portfolio(ctx, who.Subject, portfolioID, 0, 0)
	if err != nil || !p.MetadataAdded {
		return payload, err
	}
	return slices.Concat([]byte(`{"data":`), bytes.TrimSpace(payload), []byte(`,"metadata":`), p.Metadata, []byte(`}`)), nil
}

// Purge deletes expired Idempotency-Keys and returns their number. It is meant to be
// called periodically.
func (s *Service) Purge(ctx context.Context) (int64, error) { return s.Keys.PurgeKeys(ctx, s.Now()) }

func (s *Service) read(ctx context.Context, who auth.Principal, portfolioID string, first, limit int) (Portfolio, []statement.Holding, error) {
	if !isPortfolioID(portfolioID) {
		return Portfolio{}, nil, ErrNotFound
	}
	return s.Reader.Portfolio(ctx, who.Subject, portfolioID, first, limit)
}

// isPortfolioID reports whether portfolioID has the form of a Portfolio's id.
func isPortfolioID(portfolioID string) bool { return id.Is("pf", portfolioID) }
