package store

import (
	"context"
	"database/sql"
	"fmt"

	"casbroker/internal/portfolio"
)

// storedOf selects how many portfolios a user has, how many bytes these take, and which
// matters least.
const storedOf = `SELECT COUNT(*), COALESCE(SUM(LENGTH(p.sealed) + COALESCE(LENGTH(h.sealed), 0) + COALESCE(LENGTH(t.sealed), 0)), 0),
	COALESCE((SELECT id FROM portfolios WHERE subject = $1 ORDER BY active, period_to, saved_ms, id LIMIT 1), '')
	FROM portfolios JOIN payloads p ON p.portfolio = id
	LEFT JOIN packed_holdings h ON h.portfolio = id LEFT JOIN packed_transactions t ON t.portfolio = id
	WHERE subject = $1`

func scanStored(row *sql.Row) (s portfolio.Stored, err error) {
	if err = row.Scan(&s.Statements, &s.Bytes, &s.Oldest); err != nil {
		err = fmt.Errorf("measure the portfolios of a user: %w", err)
	}
	return s, err
}

// Stored returns what is stored for subject.
func (s *DB) Stored(ctx context.Context, subject string) (portfolio.Stored, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	stored, err := scanStored(s.reader.QueryRowContext(ctx, storedOf, subject))
	return stored, s.explain(ctx, "read a quota", err)
}

// checkQuota returns portfolio.ErrQuota if q does not allow row. The caller must have locked
// the user.
func checkQuota(ctx context.Context, tx *sql.Tx, q portfolio.Quota, row *sealedPortfolio) error {
	if q == (portfolio.Quota{}) {
		return nil
	}
	stored, err := scanStored(tx.QueryRowContext(ctx, storedOf, row.Subject))
	if err != nil {
		return err
	}
	return q.Check(stored, int64(len(row.payload)+len(row.holdings)+len(row.transactions)))
}
