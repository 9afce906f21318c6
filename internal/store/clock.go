package store

import (
	"context"
	"time"
)

// Clock returns the time of the database, the zero time on SQLite: that has no clock of its
// own.
func (s *DB) Clock(ctx context.Context) (time.Time, error) {
	if s.pool == nil {
		return time.Time{}, nil
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var at time.Time
	err := s.reader.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&at)
	return at, s.explain(ctx, "read the clock of the database", err)
}
