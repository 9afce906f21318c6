package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/webhook"
)

// maxObserved is how many portfolios Observed returns at most.
const maxObserved = 3

// Observed returns the ids of the verified portfolios of subject, and of its captures that
// are matched, with the issuer and period of st that the broker has seen since then, the
// latest first; none if one of them is the same statement as st.
func (s *DB) Observed(ctx context.Context, subject string, st *statement.Statement, since time.Time) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	ids, err := s.observed(ctx, subject, st, since)
	return ids, s.explain(ctx, "read observed portfolios", err)
}

func (s *DB) observed(ctx context.Context, subject string, st *statement.Statement, since time.Time) ([]string, error) {
	period := periodOf(st)
	rows, err := s.reader.QueryContext(ctx, `SELECT id, fingerprint, observed_ms FROM portfolios
		WHERE subject = $1 AND provenance = $2 AND cas_type = $3 AND period_from = $4 AND period_to = $5 AND observed_ms >= $6
		UNION ALL SELECT id, fingerprint, at_ms FROM captures
		WHERE subject = $1 AND fingerprint IS NOT NULL AND cas_type = $3 AND period_from = $4 AND period_to = $5 AND at_ms >= $6
		ORDER BY 3 DESC, 1 DESC`,
		subject, string(portfolio.Verified), string(st.CASType), period.From, period.To, millis(since))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	own := s.fingerprint(st)
	for rows.Next() {
		var id string
		var fingerprint []byte
		var seenMS int64
		if err := rows.Scan(&id, &fingerprint, &seenMS); err != nil {
			return nil, err
		}
		if subtle.ConstantTimeCompare(fingerprint, own) == 1 {
			return nil, nil
		}
		if len(ids) < maxObserved {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// fingerprint returns the keyed hash that a statement is found by.
func (s *DB) fingerprint(st *statement.Statement) []byte {
	return s.box.Digest("portfolio fingerprint", st.Fingerprint[:])
}

// verify records that the broker saw the vendor give p, which was saved before. A
// portfolio that was only reported becomes verified, which is audited.
func (s *DB) verify(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, seen time.Time, r audit.Record) (portfolio.Portfolio, error) {
	_, err := tx.ExecContext(ctx, `UPDATE portfolios SET provenance = $1, differs = 0, observed_ms = $2 WHERE id = $3 AND observed_ms <= $2`,
		string(portfolio.Verified), millis(seen), p.ID)
	if err != nil {
		return p, fmt.Errorf("mark as verified: %w", err)
	}
	if p.Provenance == portfolio.Verified {
		return p, nil
	}
	if p.Differs { // its rank changes
		if p.Active, err = s.rankAgain(ctx, tx, p); err != nil {
			return p, err
		}
	}
	p.Provenance, p.Differs, p.Differences = portfolio.Verified, false, nil
	r.Object = p.ID
	if err := s.record(ctx, tx, r); err != nil {
		return p, err
	}
	changed, err := affectsHoldings(ctx, tx, p.Subject, p.ID) // they name the provenance
	if err != nil {
		return p, err
	}
	return p, s.emit(ctx, tx, changeEvents(webhook.PortfolioSaved, p.Subject, p.ID, r.At, changed)...)
}

// rankAgain decides again which portfolio of p's owner is active, and reports whether it
// is p.
func (s *DB) rankAgain(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio) (active bool, err error) {
	_, err = tx.ExecContext(ctx, `UPDATE portfolios SET active = 0 WHERE subject = $1 AND owner = $2 AND active = 1`, p.Subject, p.Owner)
	if err != nil {
		return false, fmt.Errorf("deactivate portfolio: %w", err)
	}
	if err := s.activateNext(ctx, tx, p.Subject, p.Owner); err != nil {
		return false, err
	}
	var now int
	err = tx.QueryRowContext(ctx, `SELECT active FROM portfolios WHERE id = $1`, p.ID).Scan(&now)
	return now == 1, err
}
