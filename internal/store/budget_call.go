package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/webhook"
)

// callColumns are the columns of gateway_calls in the order of callValues and scanCall.
const callColumns = `id, subject, who, app, grant_id, request_id, key_name, feature, started_ms, lease_ms,
	ended_ms, outcome, reason, delivery, reserved, used, portfolio_id`

// callCount is the number of callColumns.
const callCount = 17

func callValues(c budget.Call) []any {
	return []any{
		c.ID, c.Subject, c.Who, c.App, c.GrantID, c.RequestID, c.KeyName, c.Feature, millis(c.StartedAt), optionalMillis(c.LeaseEnds),
		optionalMillis(c.EndedAt), c.Outcome, c.Reason, string(c.Delivery), int64(c.Reserved), int64(c.Used), c.PortfolioID,
	}
}

func scanCall(scan func(...any) error) (budget.Call, error) {
	var c budget.Call
	var startedMS, leaseMS, endedMS int64
	err := scan(&c.ID, &c.Subject, &c.Who, &c.App, &c.GrantID, &c.RequestID, &c.KeyName, &c.Feature, &startedMS, &leaseMS,
		&endedMS, &c.Outcome, &c.Reason, &c.Delivery, &c.Reserved, &c.Used, &c.PortfolioID)
	c.StartedAt, c.LeaseEnds, c.EndedAt = instant(startedMS), optionalInstant(leaseMS), optionalInstant(endedMS)
	return c, err
}

// insertCall inserts a call.
var insertCall = `INSERT INTO gateway_calls (` + callColumns + `) VALUES (` + placeholders(1, callCount) + `)` //nolint:gosec // names of our own

// errNeedsSync is returned by work of changeUnsynced that has to be made by change.
var errNeedsSync = errors.New("the change has an audit record")

// BeginCall stores an open call, adds its price to counters and calls check with the sums,
// unless it is nil. If check fails, nothing is stored. It returns those budgets of check that were not
// reached earlier in the period.
func (s *DB) BeginCall(
	ctx context.Context, c budget.Call, counters []budget.Counter, check budget.Check,
) (reached []budget.Reached, err error) {
	const action = "record a call"
	synced := false
	begin := func(ctx context.Context, tx *sql.Tx) (err error) {
		reached, err = s.beginCall(ctx, tx, c, counters, check)
		if err == nil && len(reached) > 0 && !synced {
			return errNeedsSync
		}
		return err
	}
	if err = s.changeUnsynced(ctx, action, begin); errors.Is(err, errNeedsSync) {
		synced = true
		err = s.change(ctx, action, begin)
	}
	return reached, err
}

func (s *DB) beginCall(
	ctx context.Context, tx *sql.Tx, c budget.Call, counters []budget.Counter, check budget.Check,
) (reached []budget.Reached, err error) {
	if _, err := tx.ExecContext(ctx, insertCall, callValues(c)...); err != nil {
		return nil, fmt.Errorf("insert: %w", err)
	}
	if len(counters) == 0 {
		return nil, nil
	}
	if check == nil {
		return nil, addCredits(ctx, tx, counters, c.Reserved)
	}
	sums, err := addAndSum(ctx, tx, counters, c.Reserved)
	if err != nil {
		return nil, err
	}
	found, err := check(sums, func() ([]budget.Raise, error) { return raises(ctx, tx, c.StartedAt) })
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		isNew, err := s.markReached(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		if isNew {
			reached = append(reached, r)
		}
	}
	return reached, nil
}

// addCredits adds amount to each counter. The rows stay locked, in the order of counters,
// until the transaction ends.
func addCredits(ctx context.Context, tx *sql.Tx, counters []budget.Counter, amount credit.Amount) error {
	if _, err := tx.ExecContext(ctx, addToCounters(len(counters)), counterValues(counters, amount)...); err != nil {
		return fmt.Errorf("count credits: %w", err)
	}
	return nil
}

// addAndSum is addCredits, and returns the sums.
func addAndSum(ctx context.Context, tx *sql.Tx, counters []budget.Counter, amount credit.Amount) ([]credit.Amount, error) {
	type sum struct {
		budget.Counter
		credits credit.Amount
	}
	list, err := queryAll(ctx, tx, func(scan func(...any) error) (s sum, err error) { return s, scan(&s.Period, &s.Scope, &s.credits) },
		addToCounters(len(counters))+` RETURNING period, scope, credits`, counterValues(counters, amount)...)
	if err != nil {
		return nil, fmt.Errorf("count credits: %w", err)
	}
	sums := make([]credit.Amount, len(counters))
	for _, s := range list { // SQLite does not promise an order
		for i, c := range counters {
			if c.Period == s.Period && c.Scope == s.Scope {
				sums[i] = s.credits
			}
		}
	}
	return sums, nil
}

// addToCounters returns the statement that adds to n counters, with their counterValues.
func addToCounters(n int) string {
	if n == len(allCounters) {
		return addToAll
	}
	return addToFirst(n)
}

// allCounters are those of a call, and addToAll is the statement that adds to them.
var (
	allCounters = budget.Call{}.Counters()
	addToAll    = addToFirst(len(allCounters))
)

func addToFirst(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + placeholders(5*i+1, 5) + ")"
	}
	return `INSERT INTO budget_counters (period, starts_ms, scope, who, credits) VALUES ` + strings.Join(rows, ", ") +
		` ON CONFLICT (period, starts_ms, scope, who) DO UPDATE SET credits = budget_counters.credits + excluded.credits`
}

func counterValues(counters []budget.Counter, amount credit.Amount) []any {
	values := make([]any, 0, 5*len(counters))
	for _, c := range counters {
		values = append(values, string(c.Period), millis(c.Starts), string(c.Scope), c.Who, int64(amount))
	}
	return values
}

// EndCall ends an open call, adds it to the totals of its day, and adds the difference to
// what was reserved to its counters. It returns false if the call is not open.
func (s *DB) EndCall(ctx context.Context, id string, r budget.Result, at time.Time) (c budget.Call, ended bool, err error) {
	err = s.changeLater(ctx, "settle a call", func(ctx context.Context, tx *sql.Tx) error {
		c, err = scanCall(tx.QueryRowContext(ctx, `UPDATE gateway_calls SET ended_ms = $2, outcome = $3, reason = $4, delivery = $5,
			key_name = CASE WHEN CAST($6 AS TEXT) = '' THEN key_name ELSE CAST($6 AS TEXT) END,
			used = CASE WHEN CAST($5 AS TEXT) = 'unknown' THEN reserved ELSE CAST($7 AS BIGINT) END
			WHERE id = $1 AND ended_ms = 0 RETURNING `+callColumns,
			id, millis(at), r.Outcome, r.Reason, string(r.Delivery), r.KeyName, int64(r.Used)).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			ended = false
			return nil
		}
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		ended = true
		if err := addTotal(ctx, tx, c); err != nil {
			return fmt.Errorf("add to the totals: %w", err)
		}
		if c.Used != c.Reserved {
			if err := addCredits(ctx, tx, c.Counters(), c.Used-c.Reserved); err != nil {
				return err
			}
		}
		if c.Subject == "" { // erased while the call was open
			_, err = tx.ExecContext(ctx, `UPDATE gateway_calls SET who = '' WHERE id = $1`, id)
		}
		if err != nil || !c.Failed() || !c.ParsesStatement() {
			return err
		}
		if inJob, err := isJob(ctx, tx, c.RequestID, c.Subject); err != nil || inJob {
			return err // the job reports it
		}
		return s.emit(ctx, tx, webhook.New(webhook.StatementFailed, c.Subject, at, webhook.Object{CallID: c.ID, GrantID: c.GrantID, Reason: c.Reason}))
	})
	return c, ended && err == nil, err
}

// addTotal adds a call that has ended to the totals of the day on which it began.
func addTotal(ctx context.Context, tx *sql.Tx, c budget.Call) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO call_totals (day_ms, subject, app, feature, key_name, calls, failures, credits)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7)`+onSameTotal,
		millis(budget.Day.Start(c.StartedAt)), c.Subject, c.App, c.Feature, c.KeyName, boolInt(c.Failed()), int64(c.Used))
	return err
}

// onSameTotal ends an INSERT into call_totals that adds to a row that exists.
const onSameTotal = ` ON CONFLICT (day_ms, subject, app, feature, key_name) DO UPDATE SET calls = call_totals.calls + excluded.calls,
	failures = call_totals.failures + excluded.failures, credits = call_totals.credits + excluded.credits`

// AddCall stores a call that has ended, unless one with its id is stored. It reports
// whether it did.
func (s *DB) AddCall(ctx context.Context, c budget.Call) (added bool, err error) {
	err = s.change(ctx, "record a mail", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changeRows(ctx, tx, insertCall+` ON CONFLICT (id) DO NOTHING`, callValues(c)...)
		if added = n == 1; err != nil || !added {
			return err
		}
		if err := addTotal(ctx, tx, c); err != nil {
			return fmt.Errorf("add to the totals: %w", err)
		}
		return addCredits(ctx, tx, c.Counters(), c.Used)
	})
	return added && err == nil, err
}

// OverdueCalls returns the ids of up to limit open calls whose lease ended at now or before.
func (s *DB) OverdueCalls(ctx context.Context, now time.Time, limit int) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (id string, err error) { return id, scan(&id) },
		`SELECT id FROM gateway_calls WHERE ended_ms = 0 AND lease_ms <= $1 ORDER BY lease_ms LIMIT $2`, millis(now), limit)
	return list, s.explain(ctx, "find calls to settle", err)
}

// queryAll returns what scan makes of each row of a query.
func queryAll[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []T
	for rows.Next() {
		row, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}
