package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
)

// SavePortfolio keeps a statement, unless the subject has it already, completes
// the claim that it was made under, and records the change: all or nothing. It
// returns portfolio.ErrKeyInFlight when the claim was lost to another request.
func (s *DB) SavePortfolio(ctx context.Context, save portfolio.Saving) (portfolio.Answer, error) {
	row, err := s.seal(save)
	if err != nil {
		return portfolio.Answer{}, err
	}
	var a portfolio.Answer
	err = s.change(ctx, "save portfolio", func(tx *sql.Tx) error {
		p := save.Portfolio
		if a.Created, err = s.insertPortfolio(ctx, tx, row, &p); err != nil {
			return err
		}
		if a.Created {
			if err := s.insertRows(ctx, tx, row); err != nil {
				return err
			}
			if err := s.record(ctx, tx, save.Record); err != nil {
				return err
			}
		}
		a.PortfolioID = p.ID
		if a.Body, err = save.Render(p, a.Created); err != nil {
			return fmt.Errorf("render the answer: %w", err)
		}
		return s.completeKey(ctx, tx, save.Claim, a)
	})
	return a, err
}

// insertPortfolio reports whether the statement is new. If it is not, p becomes
// the portfolio that is there.
func (s *DB) insertPortfolio(ctx context.Context, tx *sql.Tx, row sealed, p *portfolio.Portfolio) (bool, error) {
	for range 3 { // a portfolio that is in the way may be deleted before it is read
		result, err := tx.ExecContext(ctx, `INSERT INTO portfolios
			(id, subject, fingerprint, provenance, cas_type, period_from, period_to, private,
			 total_value, received_rows, stored_rows, findings, saved_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT (subject, fingerprint) DO NOTHING`,
			p.ID, p.Subject, row.fingerprint, string(p.Provenance), string(p.CASType), row.from, row.to, row.private,
			p.TotalValue.String(), p.ReceivedRows, p.StoredRows, row.findings, millis(p.SavedAt))
		if err != nil {
			return false, fmt.Errorf("insert portfolio: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return true, err
		}
		// Kept until the answer that tells of it is: whoever deletes it must find that.
		there, err := s.scanPortfolio(tx.QueryRowContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios
			WHERE subject = $1 AND fingerprint = $2`+s.dialect.keep, p.Subject, row.fingerprint))
		if err == nil {
			*p = there.Portfolio
			return false, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return false, fmt.Errorf("read the portfolio that is there: %w", err)
		}
	}
	return false, errors.New("a portfolio is neither there nor can it be inserted")
}

// DeletePortfolio removes a portfolio, its holdings, its payload, and the answers
// kept for its Idempotency-Keys. It returns portfolio.ErrNotFound when the
// subject has no such portfolio.
func (s *DB) DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error {
	return s.change(ctx, "delete portfolio", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM portfolios WHERE id = $1 AND subject = $2`, id, subject)
		if err != nil {
			return fmt.Errorf("delete portfolio: %w", err)
		}
		n, err := result.RowsAffected()
		switch {
		case err != nil:
			return fmt.Errorf("delete portfolio: %w", err)
		case n == 0:
			return portfolio.ErrNotFound
		}
		if _, err := tx.ExecContext(ctx, `UPDATE idempotency SET answer = NULL WHERE portfolio = $1`, id); err != nil {
			return fmt.Errorf("forget its answers: %w", err)
		}
		return s.record(ctx, tx, r)
	})
}
