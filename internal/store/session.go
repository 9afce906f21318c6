package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
)

// StartSession stores k and r, both or neither, and deletes the sessions that were last
// used before idleSince.
func (s *DB) StartSession(ctx context.Context, k session.Stored, idleSince time.Time, r audit.Record) error {
	return s.change(ctx, "start session", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE seen_ms < $1`, millis(idleSince)); err != nil {
			return fmt.Errorf("delete idle sessions: %w", err)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, admin, key_mark, started_ms, seen_ms, mac) VALUES ($1, $2, $3, $4, $5, $6)`,
			k.ID, k.Admin, k.KeyHash, millis(k.StartedAt), millis(k.SeenAt), k.MAC)
		if err != nil {
			return fmt.Errorf("insert session: %w", err)
		}
		return s.record(ctx, tx, r)
	})
}

// Session returns the session called id, or nil.
func (s *DB) Session(ctx context.Context, id []byte) (*session.Stored, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	k := session.Stored{ID: id}
	var startedMS, seenMS int64
	err := s.reader.QueryRowContext(ctx, `SELECT admin, key_mark, started_ms, seen_ms, mac FROM sessions WHERE id = $1`, id).
		Scan(&k.Admin, &k.KeyHash, &startedMS, &seenMS, &k.MAC)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // no session is no error
	}
	if err != nil {
		return nil, s.explain(ctx, "read session", err)
	}
	k.StartedAt, k.SeenAt = instant(startedMS), instant(seenMS)
	return &k, nil
}

// TouchSession stores the time of the last use of k and its MAC, unless it was used later.
func (s *DB) TouchSession(ctx context.Context, k session.Stored) error {
	return s.change(ctx, "touch session", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_ms = $1, mac = $3 WHERE id = $2 AND seen_ms < $1`, millis(k.SeenAt), k.ID, k.MAC)
		return err
	})
}

// EndSession deletes the session called id and stores r, both or neither. It does nothing
// if there is no such session.
func (s *DB) EndSession(ctx context.Context, id []byte, r audit.Record) error {
	return s.change(ctx, "end session", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("delete session: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.record(ctx, tx, r)
	})
}
