package store

import (
	"context"
	"database/sql"
	"time"
)

// ClaimJob reports whether the job called name is due at now, and if so gives it to the
// caller until the lease ends. Of concurrent callers one gets it. A job that has never
// run is due, and so is one that was scheduled later than farthest: a clock was wrong
// when it was scheduled.
func (s *DB) ClaimJob(ctx context.Context, name string, now, lease, farthest time.Time) (claimed bool, err error) {
	err = s.change(ctx, "claim job", func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO chores (name, next_ms) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET next_ms = excluded.next_ms
			WHERE chores.next_ms <= $3 OR chores.next_ms > $4`,
			name, millis(lease), millis(now), millis(farthest))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		claimed = n == 1
		return err
	})
	return claimed && err == nil, err
}

// FinishJob schedules a job that was claimed until lease for next. If the lease has
// ended and another caller has claimed the job, it does nothing.
func (s *DB) FinishJob(ctx context.Context, name string, lease, next time.Time) error {
	return s.change(ctx, "finish job", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE chores SET next_ms = $1 WHERE name = $2 AND next_ms = $3`,
			millis(next), name, millis(lease))
		return err
	})
}
