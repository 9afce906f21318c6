package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
)

// What is deleted in one transaction: little, for others wait for it.
const (
	expirePortfolios = 20
	expireGrants     = 500
)

// aged is a portfolio that is old enough to go.
type aged struct {
	subject, id string
	savedMS     int64
}

// ExpirePortfolios deletes the portfolios that were saved at until or before, each
// with an audit record of at, a few at a time, and says how many. What it deleted
// stays so when it fails.
func (s *DB) ExpirePortfolios(ctx context.Context, until, at time.Time) (int, error) {
	defer s.shred(ctx)
	total, last := 0, aged{savedMS: math.MinInt64}
	for {
		batch, err := s.agedAfter(ctx, last, until)
		if err != nil || len(batch) == 0 {
			return total, err
		}
		n, err := s.expire(ctx, batch, at)
		total += n
		if err != nil {
			return total, err
		}
		last = batch[len(batch)-1]
	}
}

// agedAfter finds the next portfolios that are to go, those of a user together.
func (s *DB) agedAfter(ctx context.Context, last aged, until time.Time) ([]aged, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	batch, err := s.agedPortfolios(ctx, last, until)
	return batch, s.explain(ctx, "find old portfolios", err)
}

func (s *DB) agedPortfolios(ctx context.Context, last aged, until time.Time) ([]aged, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT subject, saved_ms, id FROM portfolios
		WHERE saved_ms <= $1 AND (subject, saved_ms, id) > ($2, $3, $4)
		ORDER BY subject, saved_ms, id LIMIT $5`, millis(until), last.subject, last.savedMS, last.id, expirePortfolios)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []aged
	for rows.Next() {
		var one aged
		if err := rows.Scan(&one.subject, &one.savedMS, &one.id); err != nil {
			return nil, err
		}
		batch = append(batch, one)
	}
	return batch, rows.Err()
}

// expire deletes batch. Its order, by subject, is that in which all who delete for
// several users lock them.
func (s *DB) expire(ctx context.Context, batch []aged, at time.Time) (int, error) {
	n := 0
	err := s.change(ctx, "delete old portfolios", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		for _, one := range batch {
			err := s.removePortfolio(ctx, tx, one.subject, one.id)
			if errors.Is(err, portfolio.ErrNotFound) { // its user was faster
				continue
			}
			if err != nil {
				return err
			}
			r := audit.New(ctx, at, audit.Retention, audit.PortfolioExpire, one.subject, one.id)
			if err := s.record(ctx, tx, r); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// ExpireGrants deletes the grants that ended at until or before, some at a time,
// and says how many. What it deleted stays so when it fails.
func (s *DB) ExpireGrants(ctx context.Context, until time.Time) (int, error) {
	for total := 0; ; {
		n := 0
		err := s.change(ctx, "delete old grants", func(ctx context.Context, tx *sql.Tx) (err error) {
			// Ids sort by time, so the old ones are found first.
			n, err = deleteRows(ctx, tx, `DELETE FROM grants WHERE id IN
				(SELECT id FROM grants WHERE expires_ms <= $1 ORDER BY id LIMIT $2`+s.dialect.skip+`)`, millis(until), expireGrants)
			if err != nil {
				return fmt.Errorf("delete grants: %w", err)
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < expireGrants {
			return total, nil
		}
	}
}
