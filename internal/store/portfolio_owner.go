package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
)

// lockSubject makes every other change of the portfolios of subject wait until the
// transaction ends. Statements after it see what earlier holders committed.
func (s *DB) lockSubject(ctx context.Context, tx *sql.Tx, subject string) error {
	if s.dialect.lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.dialect.lock, subject); err != nil {
		return fmt.Errorf("lock the portfolios of a user: %w", err)
	}
	return nil
}

// assignOwner decides to whom row and its accounts belong, and whether it becomes the active
// portfolio of its owner, and deactivates the previous one if so. It returns
// portfolio.ErrOtherOwner if the owner contradicts the user and refuseOther is set.
func (s *DB) assignOwner(ctx context.Context, tx *sql.Tx, row *sealedPortfolio, refuseOther bool) error {
	known, found, err := s.findOwners(ctx, tx, row)
	switch {
	case err != nil:
		return err
	case found.Other && refuseOther:
		return portfolio.ErrOtherOwner
	}
	row.Owner, row.first = found.Owner, len(known) == 0
	replaced, err := s.activate(ctx, tx, row)
	if err != nil {
		return err
	}
	return s.linkAccounts(ctx, tx, row, known, found, replaced)
}

// activate decides whether row becomes the active portfolio of its owner, and deactivates the
// previous one if so, which replaced reports.
func (*DB) activate(ctx context.Context, tx *sql.Tx, row *sealedPortfolio) (replaced bool, err error) {
	saved, err := readRanks(ctx, tx, `SELECT id, owner, active, cas_type, period_to, differs, saved_ms FROM portfolios
		WHERE subject = $1 AND owner = $2 AND active = 1`, row.Subject, row.Owner)
	if err != nil {
		return false, fmt.Errorf("read active portfolios: %w", err)
	}
	row.Active = true
	candidate := portfolio.Rank{ID: row.ID, CASType: row.CASType, To: row.to, Differs: row.Differs, SavedAt: instant(millis(row.SavedAt))}
	for _, p := range saved {
		if row.Active = candidate.Compare(p) > 0; !row.Active {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET active = 0 WHERE id = $1`, p.ID); err != nil {
			return false, fmt.Errorf("deactivate portfolio: %w", err)
		}
		replaced = true
	}
	return replaced, nil
}

// removePortfolio deletes a portfolio, with its dependent rows and the answers stored for
// its Idempotency-Keys, and activates the next one of its owner if it was active. changed
// reports whether the holdings of the user are different without it. It returns
// portfolio.ErrNotFound if the subject has no such portfolio.
func (s *DB) removePortfolio(ctx context.Context, tx *sql.Tx, subject, id string) (changed bool, err error) {
	if err := s.lockSubject(ctx, tx, subject); err != nil {
		return false, err
	}
	if changed, err = affectsHoldings(ctx, tx, subject, id); err != nil {
		return false, err
	}
	var owner, active int
	err = tx.QueryRowContext(ctx, `DELETE FROM portfolios WHERE id = $1 AND subject = $2 RETURNING owner, active`,
		id, subject).Scan(&owner, &active)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, portfolio.ErrNotFound
	case err != nil:
		return false, fmt.Errorf("delete portfolio: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE idempotency SET answer = NULL WHERE portfolio = $1`, id); err != nil {
		return false, fmt.Errorf("delete stored answers: %w", err)
	}
	if err := s.forgetOwners(ctx, tx, subject); err != nil {
		return false, err
	}
	if active == 1 {
		err = s.activateNext(ctx, tx, subject, owner)
	}
	return changed, err
}

// activateNext activates the best remaining portfolio of an owner.
func (s *DB) activateNext(ctx context.Context, tx *sql.Tx, subject string, owner int) error {
	remaining, err := readRanks(ctx, tx, `SELECT id, owner, active, cas_type, period_to, differs, saved_ms FROM portfolios
		WHERE subject = $1 AND owner = $2`, subject, owner)
	if err != nil {
		return fmt.Errorf("read remaining portfolios: %w", err)
	}
	if len(remaining) == 0 {
		return nil
	}
	best := slices.MaxFunc(remaining, portfolio.Rank.Compare)
	if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET active = 1 WHERE id = $1`, best.ID); err != nil {
		return fmt.Errorf("activate portfolio: %w", err)
	}
	return nil
}

// readRanks runs query, which must select id, owner, active, CAS type, end of the period,
// whether it differs from what the broker saw, and the instant of the save.
func readRanks(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]portfolio.Rank, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.Rank
	for rows.Next() {
		var r portfolio.Rank
		var active, differs int
		var savedMS int64
		if err := rows.Scan(&r.ID, &r.Owner, &active, &r.CASType, &r.To, &differs, &savedMS); err != nil {
			return nil, err
		}
		r.Active, r.Differs, r.SavedAt = active == 1, differs == 1, instant(savedMS)
		list = append(list, r)
	}
	return list, rows.Err()
}

// panHashes returns a truncated keyed hash for each unmasked character of pan, and zeros
// for each masked one. They only show whether two PANs of one subject agree. It returns
// nil without a PAN.
func (s *DB) panHashes(subject string, pan secret.Text) []byte {
	if pan == "" {
		return nil
	}
	characters := pan.Reveal()
	hashes := make([]byte, portfolio.PANHashSize*len(characters))
	for i := range len(characters) {
		if characters[i] == '*' {
			continue
		}
		hash := s.box.Digest("pan character", fmt.Appendf(nil, "%q %d %c", subject, i, characters[i]))
		copy(hashes[portfolio.PANHashSize*i:], hash[:portfolio.PANHashSize])
	}
	return hashes
}
