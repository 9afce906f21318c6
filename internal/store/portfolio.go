package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
)

// SavePortfolio keeps a statement, unless the subject has it already in a copy that
// opens, completes the claim that it was made under, and records the change: all or
// nothing. It returns portfolio.ErrKeyInFlight when the claim was lost to another
// request, and portfolio.ErrOtherOwner when save refuses the statement of another.
func (s *DB) SavePortfolio(ctx context.Context, save portfolio.Saving) (portfolio.Answer, error) {
	row, err := s.seal(save)
	if err != nil {
		return portfolio.Answer{}, err
	}
	var a portfolio.Answer
	err = s.change(ctx, "save portfolio", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, row.Subject); err != nil {
			return err
		}
		p, err := s.sameStatement(ctx, tx, row)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			a.Created = true
			p, err = s.add(ctx, tx, save, row)
		case err == nil && p.Unreadable:
			p, err = s.restore(ctx, tx, p, save)
		}
		if err != nil {
			return err
		}
		a.PortfolioID = p.ID
		if a.Body, err = save.Render(p, a.Created); err != nil {
			return fmt.Errorf("render the answer: %w", err)
		}
		return s.completeKey(ctx, tx, save.Claim, a)
	})
	if err != nil {
		return portfolio.Answer{}, err
	}
	return a, nil
}

// sameStatement reads the portfolio that has row's statement, or returns sql.ErrNoRows.
func (s *DB) sameStatement(ctx context.Context, tx *sql.Tx, row *sealed) (portfolio.Portfolio, error) {
	there, err := s.scanPortfolio(ctx, tx.QueryRowContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios
		WHERE subject = $1 AND fingerprint = $2`, row.Subject, row.fingerprint))
	if err != nil {
		return portfolio.Portfolio{}, fmt.Errorf("look for the same statement: %w", err)
	}
	return there.Portfolio, nil
}

// add writes a new portfolio, once it is clear whose it is and whether it counts.
func (s *DB) add(ctx context.Context, tx *sql.Tx, save portfolio.Saving, row *sealed) (portfolio.Portfolio, error) {
	if err := s.place(ctx, tx, row, save.RefuseOther); err != nil {
		return row.Portfolio, err
	}
	if err := s.dialect.insert(ctx, tx, row); err != nil {
		return row.Portfolio, err
	}
	return row.Portfolio, s.record(ctx, tx, save.Record)
}

// restore writes p, which does not open, anew from the same statement. Its id, its
// time and its place among the others stay.
func (s *DB) restore(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, save portfolio.Saving) (portfolio.Portfolio, error) {
	fresh := save.Portfolio
	fresh.ID, fresh.SavedAt, fresh.Owner, fresh.Active = p.ID, p.SavedAt, p.Owner, p.Active
	save.Portfolio, save.Record.Object = fresh, p.ID
	row, err := s.seal(save)
	if err != nil {
		return fresh, err
	}
	_, _, apart, err := s.ownerOf(ctx, tx, row)
	if err == nil && apart {
		err = s.keepApart(row)
	}
	if err != nil {
		return fresh, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM portfolios WHERE id = $1`, p.ID); err != nil {
		return fresh, fmt.Errorf("delete what does not open: %w", err)
	}
	if err := s.dialect.insert(ctx, tx, row); err != nil {
		return fresh, err
	}
	return row.Portfolio, s.record(ctx, tx, save.Record)
}

// DeletePortfolio removes a portfolio, its holdings, its payload, and the answers
// kept for its Idempotency-Keys. It returns portfolio.ErrNotFound when the
// subject has no such portfolio.
func (s *DB) DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error {
	return s.change(ctx, "delete portfolio", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.removePortfolio(ctx, tx, subject, id); err != nil {
			return err
		}
		return s.record(ctx, tx, r)
	})
}
