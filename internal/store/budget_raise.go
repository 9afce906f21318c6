package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/webhook"
)

// MarkReached records that a budget was reached, with an audit record. It reports whether
// that is news in the period.
func (s *DB) MarkReached(ctx context.Context, r budget.Reached) (isNew bool, err error) {
	err = s.change(ctx, "record that a budget is reached", func(ctx context.Context, tx *sql.Tx) (err error) {
		isNew, err = s.markReached(ctx, tx, r)
		return err
	})
	return isNew && err == nil, err
}

func (s *DB) markReached(ctx context.Context, tx *sql.Tx, r budget.Reached) (isNew bool, err error) {
	c := r.Counter
	n, err := changeRows(ctx, tx, `INSERT INTO budgets_reached (budget, period, starts_ms, scope, who, at_ms)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		r.Budget.Name, string(c.Period), millis(c.Starts), string(c.Scope), c.Who, millis(r.At))
	if err != nil {
		return false, fmt.Errorf("mark a budget: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	if err := s.record(ctx, tx, r.Record); err != nil {
		return false, err
	}
	return true, s.emit(ctx, tx, webhook.New(webhook.BudgetReached, r.Subject, r.At, webhook.Object{Budget: r.Budget.Name}))
}

const raiseColumns = `id, budget, subject, app, credits, until_ms, at_ms, actor`

func scanRaise(scan func(...any) error) (budget.Raise, error) {
	var r budget.Raise
	var untilMS, atMS int64
	err := scan(&r.ID, &r.Budget, &r.Subject, &r.App, &r.Credits, &untilMS, &atMS, &r.Actor)
	r.Until, r.At = instant(untilMS), instant(atMS)
	return r, err
}

// raises returns the raises in force at now, the oldest first.
func raises(ctx context.Context, q querier, now time.Time) ([]budget.Raise, error) {
	return queryAll(ctx, q, scanRaise, `SELECT `+raiseColumns+` FROM budget_raises WHERE until_ms > $1 ORDER BY id`, millis(now))
}

// Raises returns the raises in force at now, the oldest first.
func (s *DB) Raises(ctx context.Context, now time.Time) ([]budget.Raise, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := raises(ctx, s.reader, now)
	return list, s.explain(ctx, "read raises of budgets", err)
}

// AddRaise stores a raise with an audit record.
func (s *DB) AddRaise(ctx context.Context, r budget.Raise, record audit.Record) error {
	return s.change(ctx, "raise a budget", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO budget_raises (`+raiseColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			r.ID, r.Budget, r.Subject, r.App, int64(r.Credits), millis(r.Until), millis(r.At), r.Actor)
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		return s.record(ctx, tx, record)
	})
}
