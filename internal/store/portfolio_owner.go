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

// assignOwner decides to whom row belongs and whether it becomes the active portfolio of
// that owner, and deactivates the previous one if so.
func (s *DB) assignOwner(ctx context.Context, tx *sql.Tx, row *sealedPortfolio, refuseOther bool) error {
	saved, owner, other, err := s.ownerOf(ctx, tx, row)
	switch {
	case err != nil:
		return err
	case other && refuseOther:
		return portfolio.ErrOtherOwner
	case other:
		if err := s.warnOtherOwner(row); err != nil {
			return err
		}
	}
	row.Owner, row.Active = owner, true
	candidate := portfolio.Rank{ID: row.ID, CASType: row.CASType, To: row.to, Differs: row.Differs, SavedAt: instant(millis(row.SavedAt))}
	for _, p := range saved {
		if !p.Active || p.Owner != owner {
			continue
		}
		if row.Active = candidate.Compare(p) > 0; !row.Active {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET active = 0 WHERE id = $1`, p.ID); err != nil {
			return fmt.Errorf("deactivate portfolio: %w", err)
		}
	}
	return nil
}

// ownerOf returns the owner of row, as portfolio.OwnerOf decides, and the ranks that it
// decided by: one for each set of PAN hashes of each owner, and the active portfolios.
func (s *DB) ownerOf(ctx context.Context, tx *sql.Tx, row *sealedPortfolio) (saved []portfolio.Rank, owner int, other bool, err error) {
	saved, err = readRanks(ctx, tx, `SELECT DISTINCT '', owner, pan_marks, 0, '', '', 0, 0 FROM portfolios WHERE subject = $1
		UNION ALL
		SELECT id, owner, NULL, active, cas_type, period_to, differs, saved_ms FROM portfolios WHERE subject = $1 AND active = 1`, row.Subject)
	if err != nil {
		return nil, 0, false, fmt.Errorf("read owners of portfolios: %w", err)
	}
	owner, other = portfolio.OwnerOf(saved, row.panHashes)
	return saved, owner, other, nil
}

// warnOtherOwner adds the warning that row is the statement of another person.
func (s *DB) warnOtherOwner(row *sealedPortfolio) error {
	row.Warnings = append(slices.Clone(row.Warnings), portfolio.OtherOwner)
	return s.sealPrivate(row)
}

// removePortfolio deletes a portfolio, with its dependent rows and the answers stored for
// its Idempotency-Keys, and activates the next one of its owner if it was active. It
// returns portfolio.ErrNotFound if the subject has no such portfolio.
func (s *DB) removePortfolio(ctx context.Context, tx *sql.Tx, subject, id string) error {
	if err := s.lockSubject(ctx, tx, subject); err != nil {
		return err
	}
	var owner, active int
	err := tx.QueryRowContext(ctx, `DELETE FROM portfolios WHERE id = $1 AND subject = $2 RETURNING owner, active`,
		id, subject).Scan(&owner, &active)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return portfolio.ErrNotFound
	case err != nil:
		return fmt.Errorf("delete portfolio: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE idempotency SET answer = NULL WHERE portfolio = $1`, id); err != nil {
		return fmt.Errorf("delete stored answers: %w", err)
	}
	if active == 0 {
		return nil
	}
	return s.activateNext(ctx, tx, subject, owner)
}

// activateNext activates the best remaining portfolio of an owner.
func (s *DB) activateNext(ctx context.Context, tx *sql.Tx, subject string, owner int) error {
	remaining, err := readRanks(ctx, tx, `SELECT id, owner, NULL, active, cas_type, period_to, differs, saved_ms FROM portfolios
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

// readRanks runs query, which must select id, owner, PAN hashes, active, CAS type, end of
// the period, whether it differs from what the broker saw, and the instant of the save.
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
		if err := rows.Scan(&r.ID, &r.Owner, &r.PANHashes, &active, &r.CASType, &r.To, &differs, &savedMS); err != nil {
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
