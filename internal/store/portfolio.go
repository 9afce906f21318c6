package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/webhook"
)

// SavePortfolio stores a statement, unless the subject already has it in a copy that can
// be decrypted, completes the Idempotency-Key claim of the request, or without one that
// of the capture, deletes the capture that it was made of, and records the change: all or nothing. It returns
// portfolio.ErrKeyInFlight if another request has taken over the claim,
// portfolio.ErrNoCapture if the capture is gone, portfolio.ErrOtherOwner if the
// statement belongs to another person and save.RefuseOther is set, and portfolio.ErrQuota if
// the subject may have no more.
func (s *DB) SavePortfolio(ctx context.Context, save portfolio.SaveRequest) (portfolio.SaveResult, error) {
	row, err := s.seal(save)
	if err != nil {
		return portfolio.SaveResult{}, err
	}
	var a portfolio.SaveResult
	err = s.change(ctx, "save portfolio", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, row.Subject); err != nil {
			return err
		}
		captures, err := s.takeCapturesFor(ctx, tx, row, &save)
		if err != nil {
			return err
		}
		p, created, err := s.addOrUpdate(ctx, tx, save, row)
		if err != nil {
			return err
		}
		if err := linkCalls(ctx, tx, p, captures); err != nil {
			return err
		}
		a.PortfolioID, a.Created = p.ID, created
		if a.Body, err = save.Render(p, a.Created); err != nil {
			return fmt.Errorf("render the answer: %w", err)
		}
		if err := endJob(ctx, tx, save.Job, a, save.Portfolio.SavedAt); err != nil {
			return err
		}
		if save.Claim == nil {
			return s.completeKeysOf(ctx, tx, captures, a)
		}
		return s.completeKey(ctx, tx, save.Claim, a)
	})
	if err != nil {
		return portfolio.SaveResult{}, err
	}
	return a, nil
}

// takeCapturesFor deletes the capture that a save is made of, or those that match it.
func (*DB) takeCapturesFor(ctx context.Context, tx *sql.Tx, row *sealedPortfolio, save *portfolio.SaveRequest) ([]takenCapture, error) {
	if save.Capture != "" {
		return takeCapture(ctx, tx, save.Capture)
	}
	return matchCaptures(ctx, tx, row, save)
}

// addOrUpdate inserts row, or updates the stored portfolio with the same statement.
func (s *DB) addOrUpdate(ctx context.Context, tx *sql.Tx, save portfolio.SaveRequest, row *sealedPortfolio) (
	p portfolio.Portfolio, created bool, err error,
) {
	p, err = s.sameStatement(ctx, tx, row.Subject, row.fingerprint)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p, err = s.add(ctx, tx, save, row)
		return p, true, err
	case err == nil && p.Unreadable:
		p, err = s.restore(ctx, tx, p, save)
		return p, false, err
	case err == nil && row.Provenance == portfolio.Verified:
		p, err = s.verify(ctx, tx, p, row.ObservedAt, save.Record)
	}
	if err == nil && p.Metadata == nil && row.Metadata != nil {
		p, err = s.addMetadata(ctx, tx, p, row.Metadata)
	}
	return p, false, err
}

// sameStatement returns the stored portfolio of subject with this fingerprint, or
// sql.ErrNoRows.
func (s *DB) sameStatement(ctx context.Context, tx *sql.Tx, subject string, fingerprint []byte) (portfolio.Portfolio, error) {
	existing, err := s.scanPortfolio(ctx, tx.QueryRowContext(ctx, `SELECT `+portfolioColumns+` FROM portfolios
		WHERE subject = $1 AND fingerprint = $2`, subject, fingerprint))
	if err != nil {
		return portfolio.Portfolio{}, fmt.Errorf("look for the same statement: %w", err)
	}
	return existing, nil
}

// add assigns row to its owner, decides whether it is active, and inserts it.
func (s *DB) add(ctx context.Context, tx *sql.Tx, save portfolio.SaveRequest, row *sealedPortfolio) (portfolio.Portfolio, error) {
	if err := checkQuota(ctx, tx, save.Quota, row); err != nil {
		return row.Portfolio, err
	}
	if err := s.assignOwner(ctx, tx, row, save.RefuseOther); err != nil {
		return row.Portfolio, err
	}
	if err := s.insert(ctx, tx, row); err != nil {
		return row.Portfolio, err
	}
	if err := s.record(ctx, tx, save.Record); err != nil {
		return row.Portfolio, err
	}
	changed := row.first
	if !changed {
		var err error
		if changed, err = affectsHoldings(ctx, tx, row.Subject, row.ID); err != nil {
			return row.Portfolio, err
		}
	}
	events := changeEvents(webhook.PortfolioSaved, row.Subject, row.ID, save.Record.At, changed)
	if save.Differs != nil {
		if err := s.record(ctx, tx, *save.Differs); err != nil {
			return row.Portfolio, err
		}
		events = append(events, portfolioEvent(webhook.PortfolioDiffers, row.Subject, row.ID, save.Differs.At))
	}
	return row.Portfolio, s.emit(ctx, tx, events...)
}

// restore replaces p, which cannot be decrypted, by the same statement. Its id and time stay
// the same. If one of the two is verified, it is.
func (s *DB) restore(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, save portfolio.SaveRequest) (portfolio.Portfolio, error) {
	restored := save.Portfolio
	restored.ID, restored.SavedAt = p.ID, p.SavedAt
	if p.Provenance == portfolio.Verified && restored.Provenance != portfolio.Verified {
		restored.Provenance, restored.ObservedAt = p.Provenance, p.ObservedAt
		restored.Differs, restored.Differences = false, nil
	}
	save.Portfolio, save.Record.Object = restored, p.ID
	row, err := s.seal(save)
	if err != nil {
		return restored, err
	}
	if err := s.replace(ctx, tx, p, row); err != nil {
		return restored, err
	}
	if err := s.record(ctx, tx, save.Record); err != nil {
		return restored, err
	}
	changed, err := affectsHoldings(ctx, tx, row.Subject, row.ID)
	if err != nil {
		return restored, err
	}
	return row.Portfolio, s.emit(ctx, tx, changeEvents(webhook.PortfolioSaved, row.Subject, row.ID, save.Record.At, changed)...)
}

// replace replaces p by row, which has the same id.
func (s *DB) replace(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, row *sealedPortfolio) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM portfolios WHERE id = $1`, p.ID); err != nil {
		return fmt.Errorf("delete a portfolio to replace it: %w", err)
	}
	if p.Active {
		if err := s.activateNext(ctx, tx, p.Subject, p.Owner); err != nil {
			return err
		}
	}
	row.stated.Number = p.Owner // if nothing else tells of it
	if err := s.assignOwner(ctx, tx, row, false); err != nil {
		return err
	}
	return s.insert(ctx, tx, row)
}

// portfolioEvent returns an event about a portfolio.
func portfolioEvent(t webhook.Type, subject, id string, at time.Time) webhook.Event {
	return webhook.New(t, subject, at, webhook.Object{PortfolioID: id})
}

// DeletePortfolio deletes a portfolio, its holdings, transactions and payload, and the
// answers stored for its Idempotency-Keys. It returns portfolio.ErrNotFound if the
// subject has no such portfolio.
func (s *DB) DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error {
	return s.change(ctx, "delete portfolio", func(ctx context.Context, tx *sql.Tx) error {
		changed, err := s.removePortfolio(ctx, tx, subject, id)
		if err != nil {
			return err
		}
		if err := s.record(ctx, tx, r); err != nil {
			return err
		}
		return s.emit(ctx, tx, changeEvents(webhook.PortfolioDeleted, subject, id, r.At, changed)...)
	})
}
