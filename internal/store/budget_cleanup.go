package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/budget"
)

// expireCalls is how many calls one transaction deletes.
const expireCalls = 500

// keepPeriods is how long counters, and what belongs to them, are kept after their period
// began: longer than a month, in which a call may end that began in an earlier one.
const keepPeriods = 62 * 24 * time.Hour

// ExpireCalls deletes the calls that began at until or before and are not open. Their
// totals stay. It works in small transactions and returns how many it deleted, also when
// it fails halfway.
func (s *DB) ExpireCalls(ctx context.Context, until time.Time) (total int, err error) {
	for {
		n := 0
		err := s.change(ctx, "delete old calls", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM gateway_calls WHERE id IN
				(SELECT id FROM gateway_calls WHERE started_ms <= $1 AND ended_ms > 0 ORDER BY started_ms LIMIT $2`+s.dialect.skipLocked+`)`,
				millis(until), expireCalls)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < expireCalls {
			return total, nil
		}
	}
}

// DropCounters deletes the counters, the marks and the raises of budgets that are of no
// more use at now.
func (s *DB) DropCounters(ctx context.Context, now time.Time) error {
	old := millis(now.Add(-keepPeriods))
	return s.change(ctx, "delete old counters of budgets", func(ctx context.Context, tx *sql.Tx) error {
		for _, period := range []budget.Period{budget.Day, budget.Month} { // by the primary key
			if _, err := tx.ExecContext(ctx, `DELETE FROM budget_counters WHERE period = $1 AND starts_ms < $2`, string(period), old); err != nil {
				return err
			}
		}
		for _, query := range []string{
			`DELETE FROM budgets_reached WHERE starts_ms < $1`,
			`DELETE FROM budget_raises WHERE until_ms < $1`,
		} {
			if _, err := tx.ExecContext(ctx, query, old); err != nil {
				return err
			}
		}
		return nil
	})
}

// eraseCalls removes the subject from its calls and their totals, and deletes raises of its
// budgets. An open call keeps the keyed hash of the subject until it ends, and so do the
// counters of the current periods.
func eraseCalls(ctx context.Context, tx *sql.Tx, subject string) error {
	for _, query := range []string{
		`UPDATE gateway_calls SET subject = '', grant_id = '', request_id = '', portfolio_id = '',
			who = CASE WHEN ended_ms = 0 THEN who ELSE '' END WHERE subject = $1`,
		`INSERT INTO call_totals (day_ms, subject, app, feature, key_name, calls, failures, credits)
			SELECT day_ms, '', app, feature, key_name, calls, failures, credits FROM call_totals WHERE subject = $1
			ORDER BY day_ms, app, feature, key_name` + onSameTotal,
		`DELETE FROM call_totals WHERE subject = $1`,
		`DELETE FROM budget_raises WHERE subject = $1`,
	} {
		if _, err := tx.ExecContext(ctx, query, subject); err != nil {
			return fmt.Errorf("remove a user from the calls: %w", err)
		}
	}
	return nil
}

// CallsOfRequest returns up to limit calls that a request caused, the oldest first. It reads all
// calls that are kept.
func (s *DB) CallsOfRequest(ctx context.Context, requestID string, limit int) ([]budget.Call, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, scanCall, `SELECT `+callColumns+` FROM gateway_calls
		WHERE request_id = $1 AND request_id <> '' ORDER BY started_ms, id LIMIT $2`, requestID, limit)
	return list, s.explain(ctx, "read calls of a request", err)
}

// Calls returns up to limit calls of subject, the oldest first, after the given call; the
// zero Call is before the oldest.
func (s *DB) Calls(ctx context.Context, subject string, after budget.Call, limit int) ([]budget.Call, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var afterMS int64
	if after.ID != "" {
		afterMS = millis(after.StartedAt)
	}
	list, err := queryAll(ctx, s.reader, scanCall, `SELECT `+callColumns+` FROM gateway_calls
		WHERE subject = $1 AND (started_ms, id) > ($2, $3) ORDER BY started_ms, id LIMIT $4`, subject, afterMS, after.ID, limit)
	return list, s.explain(ctx, "read calls", err)
}
