package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
)

// totalColumns are the columns of call_totals by which totals can be added up.
var totalColumns = map[budget.Dimension]string{
	budget.ByDay: "day_ms", budget.ByFeature: "feature", budget.ByApp: "app", budget.ByKey: "key_name", budget.BySubject: "subject",
}

// CallTotals returns the totals that match q.
func (s *DB) CallTotals(ctx context.Context, q budget.TotalsQuery) ([]budget.Total, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var where conditions
	where.add("day_ms >= ?", millis(q.From))
	where.add("day_ms < ?", millis(q.To))
	where.equal("subject", q.Subject)
	columns := make([]string, len(q.By))
	for i, d := range q.By {
		columns[i] = totalColumns[d]
	}
	by := strings.Join(columns, ", ")
	order := by
	if q.Costliest > 0 {
		where.add("subject <> ?", "")
		order = where.number("credits DESC, "+by+" LIMIT ?", q.Costliest)
	}
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (budget.Total, error) { return scanTotal(scan, q.By) },
		`SELECT `+by+`, CAST(SUM(calls) AS BIGINT), CAST(SUM(failures) AS BIGINT), CAST(SUM(credits) AS BIGINT) AS credits
		FROM call_totals`+where.text()+` GROUP BY `+by+` ORDER BY `+order, where.args...)
	return list, s.explain(ctx, "read the totals of calls", err)
}

func scanTotal(scan func(...any) error, by []budget.Dimension) (budget.Total, error) {
	var t budget.Total
	var dayMS int64
	into := map[budget.Dimension]any{
		budget.ByDay: &dayMS, budget.ByFeature: &t.Feature, budget.ByApp: &t.App, budget.ByKey: &t.KeyName, budget.BySubject: &t.Subject,
	}
	list := make([]any, 0, len(by)+3)
	for _, d := range by {
		list = append(list, into[d])
	}
	err := scan(append(list, &t.Calls, &t.Failures, &t.Credits)...)
	if slices.Contains(by, budget.ByDay) {
		t.Day = instant(dayMS)
	}
	return t, err
}

// CounterSums returns the credits of each counter, with those that are reserved.
func (s *DB) CounterSums(ctx context.Context, counters []budget.Counter) ([]credit.Amount, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	sums := make([]credit.Amount, len(counters))
	for i, c := range counters {
		err := s.reader.QueryRowContext(ctx, `SELECT COALESCE(MAX(credits), 0) FROM budget_counters
			WHERE period = $1 AND starts_ms = $2 AND scope = $3 AND who = $4`,
			string(c.Period), millis(c.Starts), string(c.Scope), c.Who).Scan(&sums[i])
		if err != nil {
			return nil, s.explain(ctx, "read counters of budgets", err)
		}
	}
	return sums, nil
}

// BudgetUse returns how much of b is used in the period that begins at starts.
func (s *DB) BudgetUse(ctx context.Context, b budget.Budget, starts time.Time) (u budget.Use, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var where conditions
	limit := where.number("?", int64(b.Credits))
	where.equal("period", string(b.Period))
	where.add("starts_ms = ?", millis(starts))
	where.equal("scope", string(b.Scope))
	switch {
	case b.App == "":
	case b.Scope == budget.User: // whose hashes begin with the app
		where.add("who >= ? AND who < ?", b.App+":", b.App+";")
	default:
		where.equal("who", b.App)
	}
	where.add("credits > ?", 0)
	err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN credits >= CAST(`+limit+` AS BIGINT) THEN 1 ELSE 0 END), 0),
		COALESCE(MAX(credits), 0) FROM budget_counters`+where.text(), where.args...).Scan(&u.Holders, &u.Exhausted, &u.Most)
	return u, s.explain(ctx, "read the use of a budget", err)
}

// OpenCalls returns the number of open calls and the credits that they reserve.
func (s *DB) OpenCalls(ctx context.Context) (n int, reserved credit.Amount, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(reserved), 0) AS BIGINT)
		FROM gateway_calls WHERE ended_ms = 0`).Scan(&n, &reserved)
	return n, reserved, s.explain(ctx, "count open calls", err)
}
