package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// donePrefix begins the names of rows in chores that say when a task was last done, and not when a job
// is due.
const donePrefix = "done:"

// RecordDone records that a task was done at a time. An earlier time than the recorded one is ignored.
func (s *DB) RecordDone(ctx context.Context, task string, at time.Time) error {
	return s.change(ctx, "record that a task was done", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO chores (name, next_ms) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET next_ms = excluded.next_ms WHERE chores.next_ms < excluded.next_ms`,
			donePrefix+task, millis(at))
		return err
	})
}

// LastDone returns when a task was last done, the zero time if never.
func (s *DB) LastDone(ctx context.Context, task string) (time.Time, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var ms int64
	err := s.reader.QueryRowContext(ctx, `SELECT next_ms FROM chores WHERE name = $1`, donePrefix+task).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return optionalInstant(ms), s.explain(ctx, "read when a task was last done", err)
}

// PoolStats returns the state of each pool of connections, by name.
func (s *DB) PoolStats() map[string]sql.DBStats {
	if s.reader == s.writer {
		return map[string]sql.DBStats{"all": s.writer.Stats()}
	}
	return map[string]sql.DBStats{"writer": s.writer.Stats(), "reader": s.reader.Stats()}
}
