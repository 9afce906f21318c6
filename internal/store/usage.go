package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"casbroker/internal/usage"
)

const (
	// countRows is the number of counts that one statement writes.
	countRows = 100
	// dropCounts is how many old counts one transaction deletes. Other changes wait for it.
	dropCounts = 1000
)

// AddCounts adds counts to the stored ones, all or none. If it returns ErrUnavailable
// because the connection was lost, they may have been added.
func (s *DB) AddCounts(ctx context.Context, counts []usage.Count) error {
	counts = distinct(counts)
	if len(counts) == 0 {
		return nil
	}
	return s.change(ctx, "add usage counts", func(ctx context.Context, tx *sql.Tx) error {
		for some := range slices.Chunk(counts, countRows) {
			if err := addCounts(ctx, tx, some); err != nil {
				return fmt.Errorf("add to counts: %w", err)
			}
		}
		return nil
	})
}

// distinct adds up the counts of each row. It returns them in the order in which all
// replicas lock the rows.
func distinct(counts []usage.Count) []usage.Count {
	counts = slices.Clone(counts)
	slices.SortFunc(counts, usage.Compare)
	list := counts[:0]
	for _, c := range counts {
		if last := len(list) - 1; last >= 0 && usage.Compare(list[last], c) == 0 {
			list[last].N += c.N
			list[last].Took += c.Took
			continue
		}
		list = append(list, c)
	}
	return list
}

// addCounts writes counts in one statement, which keeps the time short in which other
// replicas wait for the rows.
func addCounts(ctx context.Context, tx *sql.Tx, counts []usage.Count) error {
	var query strings.Builder
	query.WriteString(`INSERT INTO usage_counts (step, at_ms, series, label, n, took_us) VALUES `)
	args := make([]any, 0, 6*len(counts))
	for i, c := range counts {
		if i > 0 {
			query.WriteString(", ")
		}
		query.WriteString("(" + placeholders(6*i+1, 6) + ")")
		args = append(args, string(c.Step), millis(c.At), string(c.Series), c.Label, c.N, c.Took.Microseconds())
	}
	query.WriteString(` ON CONFLICT (step, at_ms, series, label) DO UPDATE
		SET n = usage_counts.n + excluded.n, took_us = usage_counts.took_us + excluded.took_us`)
	_, err := tx.ExecContext(ctx, query.String(), args...)
	return err
}

// Counts reads the counts of step that began at from or later and before to, oldest
// first.
func (s *DB) Counts(ctx context.Context, step usage.Step, from, to time.Time) ([]usage.Count, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.counts(ctx, step, from, to)
	return list, s.explain(ctx, "read usage counts", err)
}

func (s *DB) counts(ctx context.Context, step usage.Step, from, to time.Time) ([]usage.Count, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT at_ms, series, label, n, took_us FROM usage_counts
		WHERE step = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms`, string(step), millis(from), millis(to))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []usage.Count
	for rows.Next() {
		c := usage.Count{Step: step}
		var atMS, tookUS int64
		if err := rows.Scan(&atMS, &c.Series, &c.Label, &c.N, &tookUS); err != nil {
			return nil, err
		}
		c.At, c.Took = instant(atMS), time.Duration(tookUS)*time.Microsecond
		list = append(list, c)
	}
	return list, rows.Err()
}

// DropCounts deletes the counts of step that began before the given instant. It works in
// small transactions, so a failure leaves some of them deleted.
func (s *DB) DropCounts(ctx context.Context, step usage.Step, before time.Time) error {
	for {
		n := 0
		err := s.change(ctx, "delete old usage counts", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM usage_counts WHERE (step, at_ms, series, label) IN
				(SELECT step, at_ms, series, label FROM usage_counts WHERE step = $1 AND at_ms < $2
				ORDER BY at_ms, series, label LIMIT $3`+s.dialect.skipLocked+`)`, string(step), millis(before), dropCounts)
			if err != nil {
				return fmt.Errorf("delete counts: %w", err)
			}
			return nil
		})
		if err != nil || n < dropCounts {
			return err
		}
	}
}
