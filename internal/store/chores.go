package store

import (
	"context"
	"database/sql"
	"time"
)

// ClaimChore reports whether the chore called name is due at now and the caller has
// it until the lease ends. Of many who ask at the same time, one gets it. A chore
// that nobody did before is due, and so is one that was put off beyond farthest: a
// clock was wrong then, and would have it wait for as long as it was.
func (s *DB) ClaimChore(ctx context.Context, name string, now, lease, farthest time.Time) (claimed bool, err error) {
	err = s.change(ctx, "claim chore", func(ctx context.Context, tx *sql.Tx) error {
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

// FinishChore says that a chore claimed with lease was done, and is due again at
// next. When the lease ended and somebody else has the chore, nothing changes.
func (s *DB) FinishChore(ctx context.Context, name string, lease, next time.Time) error {
	return s.change(ctx, "finish chore", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE chores SET next_ms = $1 WHERE name = $2 AND next_ms = $3`,
			millis(next), name, millis(lease))
		return err
	})
}
