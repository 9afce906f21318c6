package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/webhook"
)

// unconverted is the condition for a portfolio that an earlier release saved: its rows are
// not packed, nor are its accounts and owners known.
const unconverted = `NOT EXISTS (SELECT 1 FROM packed_holdings h WHERE h.portfolio = portfolios.id)`

// ConvertPortfolios parses the payloads of up to limit portfolios after the given id that an
// earlier release saved, and stores what it reads as if they were saved now: packed rows,
// accounts, owners and fingerprint. Id, time and provenance stay. A portfolio whose payload
// cannot be read is counted and left as it is. It emits an event, of the time at, for each whose
// rows are among the holdings of its user from then on. After the last one, it deletes what that
// release left of erased users.
func (s *DB) ConvertPortfolios(ctx context.Context, after string, limit int, at time.Time) (portfolio.Conversion, error) {
	var done portfolio.Conversion
	ids, err := s.unconverted(ctx, after, limit)
	if err != nil {
		return done, err
	}
	for _, id := range ids {
		switch err := s.convert(ctx, id, at); {
		case errors.Is(err, portfolio.ErrUnreadable), errors.Is(err, portfolio.ErrTooManyOwners):
			s.log.WarnContext(ctx, "a portfolio of an earlier release cannot be converted", "portfolio", id, "error", err)
			done.Unreadable++
		case err != nil:
			return done, err
		default:
			done.Converted++
		}
		done.Last = id
	}
	if len(ids) == 0 {
		err = s.sweepOwners(ctx)
	}
	return done, err
}

func (s *DB) unconverted(ctx context.Context, after string, limit int) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	ids, err := readTexts(ctx, s.reader, `SELECT id FROM portfolios WHERE id > $1 AND `+unconverted+` ORDER BY id LIMIT $2`, after, limit)
	return ids, s.explain(ctx, "list portfolios to convert", err)
}

// convert converts one portfolio, unless it is deleted or converted by now.
func (s *DB) convert(ctx context.Context, id string, at time.Time) error {
	var subject string
	var savedMS int64
	var sealed []byte
	err := s.reader.QueryRowContext(ctx, `SELECT subject, saved_ms, sealed FROM portfolios JOIN payloads ON portfolio = id WHERE id = $1`, id).
		Scan(&subject, &savedMS, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return s.explain(ctx, "read a portfolio to convert", err)
	}
	payload, err := s.openCompressed(payloadData(id), sealed)
	if err != nil {
		return err
	}
	st, err := statement.ParseSaved(payload, instant(savedMS))
	if err != nil {
		return portfolio.ErrUnreadable.Because(fmt.Errorf("parse the payload of %s again: %w", id, err))
	}
	return s.change(ctx, "convert a portfolio", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, subject); err != nil {
			return err
		}
		var fingerprint []byte
		p, err := s.scanPortfolio(ctx, tx.QueryRowContext(ctx,
			`SELECT `+portfolioColumns+`, fingerprint FROM portfolios WHERE id = $1 AND `+unconverted, id), &fingerprint)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		case p.Unreadable:
			return portfolio.ErrUnreadable.Because(errors.New("decrypt the private fields"))
		}
		if err := s.replaceConverted(ctx, tx, p, fingerprint, portfolio.SaveRequest{Portfolio: p, Statement: *st, Payload: payload}); err != nil {
			return err
		}
		return s.emitConverted(ctx, tx, subject, id, at)
	})
}

// emitConverted emits an event if the portfolio, which did not count before, counts now.
func (s *DB) emitConverted(ctx context.Context, tx *sql.Tx, subject, id string, at time.Time) error {
	changed, err := affectsHoldings(ctx, tx, subject, id)
	if err != nil || !changed {
		return err
	}
	return s.emit(ctx, tx, portfolioEvent(webhook.HoldingsChanged, subject, id, at))
}

// replaceConverted replaces p, which has fingerprint, by the same portfolio as it is saved
// now. If the user has saved the same statement twice, since the fingerprint was another one
// then, both stay, and this one keeps its fingerprint.
func (s *DB) replaceConverted(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, fingerprint []byte, save portfolio.SaveRequest) error {
	save.Portfolio.Summary = save.Statement.Summary
	save.Portfolio.Owners, save.Portfolio.Accounts = nil, nil
	row, err := s.seal(save)
	if err != nil {
		return err
	}
	var twice int
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM portfolios WHERE subject = $1 AND fingerprint = $2 AND id <> $3`,
		p.Subject, row.fingerprint, p.ID).Scan(&twice)
	if err != nil {
		return fmt.Errorf("look for the same statement: %w", err)
	}
	if twice > 0 {
		row.fingerprint = fingerprint
	}
	return s.replace(ctx, tx, p, row)
}
