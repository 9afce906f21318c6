package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

const portfolioColumns = `id, subject, provenance, cas_type, period_from, period_to, private,
	total_value, received_rows, stored_rows, transactions, findings, saved_ms, owner, active`

// opened is a portfolio, and the account numbers that its holdings refer to.
type opened struct {
	portfolio.Portfolio
	accounts []string
}

// scanPortfolio reads and opens the portfolioColumns of one row.
func (s *DB) scanPortfolio(ctx context.Context, row interface{ Scan(dest ...any) error }) (opened, error) {
	var p opened
	var period statement.Period
	var hidden []byte
	var told string
	var savedMS int64
	var active int
	err := row.Scan(&p.ID, &p.Subject, &p.Provenance, &p.CASType, &period.From, &period.To, &hidden,
		&p.TotalValue, &p.ReceivedRows, &p.StoredRows, &p.TransactionCount, &told, &savedMS, &p.Owner, &active)
	if err != nil {
		return p, err
	}
	p.SavedAt, p.Active = instant(savedMS), active == 1
	if period.To != "" {
		p.Period = &period
	}
	var f findings
	if err := json.Unmarshal([]byte(told), &f); err != nil {
		return p, fmt.Errorf("decode findings of %s: %w", p.ID, err)
	}
	p.Counts = f.Counts
	return p, s.openPrivate(ctx, &p, hidden)
}

// openPrivate fills in what of p is sealed, or tells that it does not open. The
// operator knows of the keys that are missing, so the log has only the rest.
func (s *DB) openPrivate(ctx context.Context, p *opened, hidden []byte) error {
	plain, err := s.box.Open(privatePlace(p.ID), hidden)
	if err != nil {
		p.Unreadable = true
		if !errors.Is(err, secret.ErrUnknownKey) {
			s.log.ErrorContext(ctx, "a portfolio does not open under the key that it names", "portfolio", p.ID, "error", err)
		}
		return nil
	}
	var private private
	if err := json.Unmarshal(plain, &private); err != nil {
		return fmt.Errorf("decode portfolio %s: %w", p.ID, err)
	}
	p.Investor = statement.Investor{Name: private.Name, PANMasked: private.PANMasked}
	p.accounts, p.Rejected, p.Warnings = private.Accounts, private.Rejected, private.Warnings
	return nil
}

// Portfolios lists portfolios of subject, newest first.
func (s *DB) Portfolios(ctx context.Context, subject string, q portfolio.Query) ([]portfolio.Portfolio, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ms := int64(math.MaxInt64)
	if q.After.ID != "" {
		ms = millis(q.After.SavedAt)
	}
	list, err := s.portfolios(ctx, subject, ms, q)
	return list, s.explain(ctx, "list portfolios", err)
}

func (s *DB) portfolios(ctx context.Context, subject string, ms int64, q portfolio.Query) ([]portfolio.Portfolio, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios
		WHERE subject = $1 AND (saved_ms, id) < ($2, $3) AND active >= $4
		ORDER BY saved_ms DESC, id DESC LIMIT $5`, subject, ms, q.After.ID, flag(q.ActiveOnly), q.Limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.Portfolio
	for rows.Next() {
		p, err := s.scanPortfolio(ctx, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, p.Portfolio)
	}
	return list, rows.Err()
}

// LatestPortfolio returns the id of the portfolio of the subject's first owner whose
// period ends last, of those the one saved last; portfolio.ErrNotFound when there is
// none.
func (s *DB) LatestPortfolio(ctx context.Context, subject string) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var id string
	err := s.reader.QueryRowContext(ctx, `SELECT id FROM portfolios WHERE subject = $1
		ORDER BY owner, period_to DESC, saved_ms DESC, id DESC LIMIT 1`, subject).Scan(&id)
	return id, s.found(ctx, "find the latest portfolio", err)
}

// Portfolio returns a portfolio of subject, and up to limit of its holdings from
// number first on; portfolio.ErrNotFound when the subject has no such portfolio.
func (s *DB) Portfolio(ctx context.Context, subject, id string, first, limit int) (portfolio.Portfolio, []statement.Holding, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p, err := s.scanPortfolio(ctx, s.reader.QueryRowContext(ctx,
		`SELECT `+portfolioColumns+` FROM portfolios WHERE id = $1 AND subject = $2`, id, subject))
	if err != nil {
		return portfolio.Portfolio{}, nil, s.found(ctx, "read portfolio", err)
	}
	holdings, err := s.holdings(ctx, p, first, limit)
	return p.Portfolio, holdings, s.explain(ctx, "read holdings", err)
}

// Payload returns what was received for a portfolio of subject, byte for byte;
// portfolio.ErrNotFound when the subject has no such portfolio, and
// portfolio.ErrUnreadable when it does not open.
func (s *DB) Payload(ctx context.Context, subject, id string) ([]byte, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var hidden []byte
	err := s.reader.QueryRowContext(ctx, `SELECT sealed FROM payloads JOIN portfolios ON id = portfolio
		WHERE id = $1 AND subject = $2`, id, subject).Scan(&hidden)
	if err != nil {
		return nil, s.found(ctx, "read payload", err)
	}
	packed, err := s.box.Open(payloadPlace(id), hidden)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("open payload of %s: %w", id, err))
	}
	plain, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("unpack payload of %s: %w", id, err)
	}
	return plain, nil
}

// found is explain for a query that must find a portfolio.
func (s *DB) found(ctx context.Context, what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return portfolio.ErrNotFound
	}
	return s.explain(ctx, what, err)
}
