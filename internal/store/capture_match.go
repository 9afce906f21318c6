package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// ObserveCapture has a capture matched with what its user posts, until o.Until. If the user
// has the same statement already, it deletes the capture instead, makes that portfolio
// verified with the audit record, and returns true. It returns portfolio.ErrNoCapture if
// the capture is gone.
func (s *DB) ObserveCapture(ctx context.Context, o portfolio.ObserveRequest) (known bool, err error) {
	err = s.change(ctx, "observe a capture", func(ctx context.Context, tx *sql.Tx) error {
		known = false
		c, fingerprint := o.Capture, s.fingerprint(&o.Statement)
		if err := s.lockSubject(ctx, tx, c.Subject); err != nil {
			return err
		}
		p, err := s.sameStatement(ctx, tx, c.Subject, fingerprint)
		if errors.Is(err, sql.ErrNoRows) {
			return keepObserved(ctx, tx, o, fingerprint)
		}
		if err != nil {
			return err
		}
		known = true
		taken, err := takeCapture(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		if _, err := s.verify(ctx, tx, p, c.At, o.Record); err != nil {
			return err
		}
		return linkCalls(ctx, tx, p, taken)
	})
	return known, err
}

// keepObserved sets what a capture is matched by.
func keepObserved(ctx context.Context, tx *sql.Tx, o portfolio.ObserveRequest, fingerprint []byte) error {
	period := periodOf(&o.Statement)
	result, err := tx.ExecContext(ctx, `UPDATE captures SET fingerprint = $1, cas_type = $2, period_from = $3, period_to = $4, next_ms = $5
		WHERE id = $6`, fingerprint, string(o.Statement.CASType), period.From, period.To, millis(o.Until), o.Capture.ID)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = portfolio.ErrNoCapture
	}
	return err
}

// periodOf returns the period of st as columns hold it: zero if it is not stated.
func periodOf(st *statement.Statement) statement.Period {
	if st.Period == nil {
		return statement.Period{}
	}
	return *st.Period
}

// DropObserved deletes the captures that were matched until now.
func (s *DB) DropObserved(ctx context.Context, now time.Time) error {
	// There are rarely any, and reads do not wait for the writer.
	ids, err := s.captureIDs(ctx, `SELECT id FROM captures WHERE next_ms <= $1 AND fingerprint IS NOT NULL LIMIT 1`, millis(now))
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.change(ctx, "drop observed captures", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM captures WHERE fingerprint IS NOT NULL AND next_ms <= $1`, millis(now))
		return err
	})
}

// matchCaptures deletes the captures of the user of row that are the same statement, and
// makes row verified if there are any. The caller must have locked the user.
func matchCaptures(ctx context.Context, tx *sql.Tx, row *sealedPortfolio, save *portfolio.SaveRequest) ([]takenCapture, error) {
	if row.Provenance == portfolio.Verified || save.ObservedSince.IsZero() {
		return nil, nil
	}
	taken, err := takeCaptures(ctx, tx, `DELETE FROM captures WHERE subject = $1 AND fingerprint = $2 AND at_ms >= $3
		RETURNING `+takenColumns, row.Subject, row.fingerprint, millis(save.ObservedSince))
	for _, c := range taken {
		p := &row.Portfolio
		p.Provenance, p.Differs, p.Differences = portfolio.Verified, false, nil
		if at := instant(c.atMS); at.After(p.ObservedAt) {
			p.ObservedAt = at
		}
		save.Portfolio, save.Differs = *p, nil
		save.Record = save.Record.WithDetail(string(portfolio.Verified))
	}
	return taken, err
}

// linkCalls notes in the recorded calls of captures which portfolio was saved from them.
func linkCalls(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, captures []takenCapture) error {
	for _, c := range captures {
		_, err := tx.ExecContext(ctx, `UPDATE gateway_calls SET portfolio_id = $1 WHERE id = $2 AND subject = $3`, p.ID, c.callID, p.Subject)
		if err != nil {
			return fmt.Errorf("note the portfolio of a call: %w", err)
		}
	}
	return nil
}
