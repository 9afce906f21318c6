package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/portfolio"
)

// KeepCapture stores c, sealed, until it is saved as a portfolio or dropped. It is due
// after its Delay. A capture that is stored already stays as it is.
func (s *DB) KeepCapture(ctx context.Context, c portfolio.Capture) error {
	compressed, err := compress(c.Payload)
	if err != nil {
		return err
	}
	sealed := s.box.Seal(captureData(c.ID), compressed)
	var keyScope []byte
	keyHolder := ""
	if c.Key != nil {
		keyScope, keyHolder = s.keyScope(*c.Key), c.Key.Holder
	}
	return s.change(ctx, "keep a capture", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO captures (id, subject, sealed, at_ms, tries, next_ms, call_id, uploaded, job, key_scope, key_holder)
			VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
			c.ID, c.Subject, sealed, millis(c.At), millis(c.At.Add(c.Delay)), c.CallID, boolInt(c.Uploaded), c.Job, keyScope, keyHolder)
		return err
	})
}

// DueCaptures returns the ids of up to limit captures that are due at now, the oldest
// first: those of subject, or of all users if that is "".
func (s *DB) DueCaptures(ctx context.Context, subject string, now time.Time, limit int) ([]string, error) {
	if subject == "" {
		return s.captureIDs(ctx, `SELECT id FROM captures WHERE next_ms <= $1 AND fingerprint IS NULL ORDER BY next_ms, id LIMIT $2`, millis(now), limit)
	}
	return s.captureIDs(ctx, `SELECT id FROM captures WHERE next_ms <= $1 AND fingerprint IS NULL AND subject = $3
		ORDER BY at_ms, id LIMIT $2`, millis(now), limit, subject)
}

// Captures returns the ids of all captures of subject, the oldest first.
func (s *DB) Captures(ctx context.Context, subject string) ([]string, error) {
	return s.captureIDs(ctx, `SELECT id FROM captures WHERE subject = $1 ORDER BY at_ms, id`, subject)
}

func (s *DB) captureIDs(ctx context.Context, query string, args ...any) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	ids, err := readTexts(ctx, s.reader, query, args...)
	return ids, s.explain(ctx, "list captures", err)
}

// readTexts returns the only column of the rows of query.
func readTexts(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// Capture reads a capture. It returns portfolio.ErrNoCapture if there is none with this
// id, and portfolio.ErrUnreadable, with the other fields of the capture, if its payload
// cannot be decrypted.
func (s *DB) Capture(ctx context.Context, id string) (portfolio.Capture, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	c := portfolio.Capture{ID: id}
	var sealed []byte
	var atMS, uploaded int64
	err := s.reader.QueryRowContext(ctx, `SELECT subject, call_id, sealed, at_ms, tries, uploaded, job FROM captures WHERE id = $1`, id).
		Scan(&c.Subject, &c.CallID, &sealed, &atMS, &c.Tries, &uploaded, &c.Job)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, portfolio.ErrNoCapture
	case err != nil:
		return c, s.explain(ctx, "read a capture", err)
	}
	c.At, c.Uploaded = instant(atMS), uploaded == 1
	compressed, err := s.box.Open(captureData(id), sealed)
	if err != nil {
		return c, portfolio.ErrUnreadable.Because(fmt.Errorf("decrypt capture %s: %w", id, err))
	}
	if c.Payload, err = decompress(compressed); err != nil {
		return c, fmt.Errorf("decompress capture %s: %w", id, err)
	}
	return c, nil
}

// PostponeCapture counts a failed save of a capture and makes it due again at next.
func (s *DB) PostponeCapture(ctx context.Context, id string, next time.Time) error {
	return s.change(ctx, "postpone a capture", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE captures SET tries = tries + 1, next_ms = $1 WHERE id = $2`, millis(next), id)
		return err
	})
}

// FreeKeyOf has a capture give up the Idempotency-Key that it has claimed.
func (s *DB) FreeKeyOf(ctx context.Context, captureID string) error {
	return s.change(ctx, "free the key of a capture", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE captures SET key_scope = NULL, key_holder = '' WHERE id = $1 AND key_scope IS NOT NULL`, captureID)
		return err
	})
}

// DropCapture deletes a capture. It does nothing if there is none with this id.
func (s *DB) DropCapture(ctx context.Context, id string) error {
	return s.change(ctx, "drop a capture", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM captures WHERE id = $1`, id)
		return err
	})
}

// takenCapture is what remains of a capture that is saved or matched.
type takenCapture struct {
	callID    string
	atMS      int64
	keyScope  []byte // of the claim that it has; nil for none
	keyHolder string
}

// takenColumns are the columns of a takenCapture.
const takenColumns = `call_id, at_ms, key_scope, key_holder`

// takeCapture deletes a capture. It returns portfolio.ErrNoCapture if it is gone: another
// replica has saved it, or the user's data was erased. The caller must have locked the user.
func takeCapture(ctx context.Context, tx *sql.Tx, id string) ([]takenCapture, error) {
	taken, err := takeCaptures(ctx, tx, `DELETE FROM captures WHERE id = $1 RETURNING `+takenColumns, id)
	if err == nil && len(taken) == 0 {
		err = portfolio.ErrNoCapture
	}
	return taken, err
}

// takeCaptures runs query, which must delete captures and return their takenColumns.
func takeCaptures(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]takenCapture, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("delete captures: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var taken []takenCapture
	for rows.Next() {
		var c takenCapture
		if err := rows.Scan(&c.callID, &c.atMS, &c.keyScope, &c.keyHolder); err != nil {
			return nil, err
		}
		taken = append(taken, c)
	}
	return taken, rows.Err()
}

// captureData returns the associated data of a capture.
func captureData(id string) string { return "captures/" + id }
