package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/budget"
)

// EndedCalls returns the calls between two instants, the second one excluded, by feature.
// The vendor logs a call when it ends; a call without an answer counts when it began.
func (s *DB) EndedCalls(ctx context.Context, from, to time.Time) ([]budget.FeatureComparison, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (f budget.FeatureComparison, err error) {
		return f, scan(&f.Feature, &f.Calls, &f.UnsureCalls, &f.Credits, &f.UnsureCredits)
	}, `SELECT feature, SUM(CASE WHEN delivery = 'answered' THEN 1 ELSE 0 END), SUM(CASE WHEN delivery = 'answered' THEN 0 ELSE 1 END),
			CAST(SUM(CASE WHEN delivery = 'answered' THEN used ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN delivery = 'answered' THEN 0 ELSE used END) AS BIGINT)
		FROM gateway_calls WHERE delivery IN ('answered', 'rejected') AND ended_ms >= $1 AND ended_ms < $2
			OR delivery = 'unknown' AND started_ms >= $1 AND started_ms < $2
		GROUP BY feature ORDER BY feature`, millis(from), millis(to))
	return list, s.explain(ctx, "read calls by feature", err)
}

// SaveComparison replaces the comparison of the same day.
func (s *DB) SaveComparison(ctx context.Context, c budget.Comparison) error {
	return s.change(ctx, "save a comparison with the vendor", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM usage_comparisons WHERE day_ms = $1`, millis(c.Day)); err != nil {
			return fmt.Errorf("delete the old one: %w", err)
		}
		for _, f := range c.Features {
			_, err := tx.ExecContext(ctx, `INSERT INTO usage_comparisons (day_ms, feature, at_ms, calls, unsure_calls, credits,
				unsure_credits, vendor_calls, vendor_credits, differs) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				millis(c.Day), f.Feature, millis(c.At), f.Calls, f.UnsureCalls, int64(f.Credits), int64(f.UnsureCredits),
				f.VendorCalls, int64(f.VendorCredits), boolInt(f.Differs))
			if err != nil {
				return fmt.Errorf("insert: %w", err)
			}
		}
		return nil
	})
}

// Comparisons returns the comparisons of up to limit days, the newest first.
func (s *DB) Comparisons(ctx context.Context, limit int) (list []budget.Comparison, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	_, err = queryAll(ctx, s.reader, func(scan func(...any) error) (none struct{}, err error) {
		var dayMS, atMS int64
		var differs int
		var f budget.FeatureComparison
		err = scan(&dayMS, &f.Feature, &atMS, &f.Calls, &f.UnsureCalls, &f.Credits, &f.UnsureCredits, &f.VendorCalls, &f.VendorCredits, &differs)
		f.Differs = differs == 1
		if last := len(list) - 1; last < 0 || millis(list[last].Day) != dayMS {
			list = append(list, budget.Comparison{Day: instant(dayMS), At: instant(atMS)})
		}
		c := &list[len(list)-1]
		c.Features = append(c.Features, f)
		return none, err
	}, `SELECT day_ms, feature, at_ms, calls, unsure_calls, credits, unsure_credits, vendor_calls, vendor_credits, differs
		FROM usage_comparisons WHERE day_ms IN (SELECT DISTINCT day_ms FROM usage_comparisons ORDER BY day_ms DESC LIMIT $1)
		ORDER BY day_ms DESC, feature`, limit)
	return list, s.explain(ctx, "read comparisons with the vendor", err)
}
