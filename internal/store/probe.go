package store

import (
	"context"
	"database/sql"
	"time"
)

// Probe makes a transaction that writes and changes nothing, and returns the clock of
// PostgreSQL, or the zero Time for SQLite, which has none of its own.
func (s *DB) Probe(ctx context.Context) (clock time.Time, err error) {
	err = s.change(ctx, "test whether the database can be written to", func(ctx context.Context, tx *sql.Tx) error {
		if err := touch(ctx, tx); err != nil || s.file != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&clock)
	})
	return clock, err
}
