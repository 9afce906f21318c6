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

// lockSubject has all else that changes the portfolios of subject wait until the
// transaction ends. What is read after it is what the others left.
func (s *DB) lockSubject(ctx context.Context, tx *sql.Tx, subject string) error {
	if s.dialect.lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.dialect.lock, subject); err != nil {
		return fmt.Errorf("lock the portfolios of a user: %w", err)
	}
	return nil
}

// place decides whose row is and whether it is the active one of its owner; then
// the former active one no longer is.
func (s *DB) place(ctx context.Context, tx *sql.Tx, row *sealed, refuseOther bool) error {
	saved, owner, apart, err := s.ownerOf(ctx, tx, row)
	switch {
	case err != nil:
		return err
	case apart && refuseOther:
		return portfolio.ErrOtherOwner
	case apart:
		if err := s.keepApart(row); err != nil {
			return err
		}
	}
	row.Owner, row.Active = owner, true
	own := portfolio.Standing{ID: row.ID, CASType: row.CASType, To: row.to, SavedAt: instant(millis(row.SavedAt))}
	for _, one := range saved {
		if !one.Active || one.Owner != owner {
			continue
		}
		if row.Active = own.Compare(one) > 0; !row.Active {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET active = 0 WHERE id = $1`, one.ID); err != nil {
			return fmt.Errorf("demote portfolio: %w", err)
		}
	}
	return nil
}

// ownerOf tells whose row is, as portfolio.OwnerOf does, among what is saved: the
// marks of each owner, and the active portfolios.
func (s *DB) ownerOf(ctx context.Context, tx *sql.Tx, row *sealed) (saved []portfolio.Standing, owner int, apart bool, err error) {
	saved, err = standings(ctx, tx, `SELECT DISTINCT '', owner, pan_marks, 0, '', '', 0 FROM portfolios WHERE subject = $1
		UNION ALL
		SELECT id, owner, NULL, active, cas_type, period_to, saved_ms FROM portfolios WHERE subject = $1 AND active = 1`, row.Subject)
	if err != nil {
		return nil, 0, false, fmt.Errorf("read whose portfolios there are: %w", err)
	}
	owner, apart = portfolio.OwnerOf(saved, row.marks)
	return saved, owner, apart, nil
}

// keepApart warns of row that it is the statement of another.
func (s *DB) keepApart(row *sealed) error {
	row.Warnings = append(slices.Clone(row.Warnings), portfolio.OtherOwner)
	return s.hide(row)
}

// removePortfolio deletes a portfolio with all that hangs on it and the answers
// kept for its Idempotency-Keys, and has the next one of its owner take its place
// if it was the active one. It returns portfolio.ErrNotFound when the subject has
// no such portfolio.
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
		return fmt.Errorf("forget its answers: %w", err)
	}
	if active == 0 {
		return nil
	}
	return s.promote(ctx, tx, subject, owner)
}

// promote makes the best portfolio that an owner has left the active one.
func (s *DB) promote(ctx context.Context, tx *sql.Tx, subject string, owner int) error {
	left, err := standings(ctx, tx, `SELECT id, owner, NULL, active, cas_type, period_to, saved_ms FROM portfolios
		WHERE subject = $1 AND owner = $2`, subject, owner)
	if err != nil {
		return fmt.Errorf("read what is left: %w", err)
	}
	if len(left) == 0 {
		return nil
	}
	best := slices.MaxFunc(left, portfolio.Standing.Compare)
	if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET active = 1 WHERE id = $1`, best.ID); err != nil {
		return fmt.Errorf("promote portfolio: %w", err)
	}
	return nil
}

// standings reads rows of id, owner, marks, active, CAS type, end of the period and
// when it was saved.
func standings(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]portfolio.Standing, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.Standing
	for rows.Next() {
		var one portfolio.Standing
		var active int
		var savedMS int64
		if err := rows.Scan(&one.ID, &one.Owner, &one.Marks, &active, &one.CASType, &one.To, &savedMS); err != nil {
			return nil, err
		}
		one.Active, one.SavedAt = active == 1, instant(savedMS)
		list = append(list, one)
	}
	return list, rows.Err()
}

// marks has a keyed hash of each character that pan shows, which only tells
// whether two PANs of one subject agree. It is nil when no PAN is stated.
func (s *DB) marks(subject string, pan secret.Text) []byte {
	if pan == "" {
		return nil
	}
	visible := pan.Reveal()
	marks := make([]byte, portfolio.MarkSize*len(visible))
	for i := range len(visible) {
		if visible[i] != '*' {
			copy(marks[portfolio.MarkSize*i:], s.box.Digest("pan character", fmt.Appendf(nil, "%q %d %c", subject, i, visible[i]))[:portfolio.MarkSize])
		}
	}
	return marks
}
