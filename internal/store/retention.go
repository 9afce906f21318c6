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
	"casbroker/internal/webhook"
)

// How many rows one transaction deletes. They are few, since other changes wait for it.
const (
	expirePortfolios = 20
	expireGrants     = 500
)

// aged identifies a portfolio that is past its retention period.
type aged struct {
	subject, id string
	savedMS     int64
}

// ExpirePortfolios deletes the portfolios that were saved at until or before, each with
// an audit record of the instant at, and the captures that are as old. It works in small transactions and returns how many
// it deleted, also when it fails halfway.
func (s *DB) ExpirePortfolios(ctx context.Context, until, at time.Time) (int, error) {
	defer s.truncate(ctx)
	if err := s.expireCaptures(ctx, until); err != nil {
		return 0, err
	}
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

// expireCaptures deletes the captures that were seen at until or before. Few are left that
// long: those that could not be decrypted.
func (s *DB) expireCaptures(ctx context.Context, until time.Time) error {
	return s.change(ctx, "delete old captures", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM captures WHERE at_ms <= $1`, millis(until))
		return err
	})
}

// agedAfter finds the next portfolios to delete after last, grouped by user.
func (s *DB) agedAfter(ctx context.Context, last aged, until time.Time) ([]aged, error) {
	ctx, cancel := withTimeout(ctx)
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
		var p aged
		if err := rows.Scan(&p.subject, &p.savedMS, &p.id); err != nil {
			return nil, err
		}
		batch = append(batch, p)
	}
	return batch, rows.Err()
}

// expire deletes batch. It is ordered by subject, the order in which every transaction
// locks several users.
func (s *DB) expire(ctx context.Context, batch []aged, at time.Time) (int, error) {
	n := 0
	err := s.change(ctx, "delete old portfolios", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		for _, p := range batch {
			changed, err := s.removePortfolio(ctx, tx, p.subject, p.id)
			if errors.Is(err, portfolio.ErrNotFound) { // its user has deleted it meanwhile
				continue
			}
			if err != nil {
				return err
			}
			r := audit.New(ctx, at, audit.Retention, audit.PortfolioExpire, p.subject, p.id)
			if err := s.record(ctx, tx, r); err != nil {
				return err
			}
			if err := s.emit(ctx, tx, changeEvents(webhook.PortfolioDeleted, p.subject, p.id, at, changed)...); err != nil {
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

// ExpireGrants deletes the grants that expired at until or before. It works in small
// transactions and returns how many it deleted, also when it fails halfway.
func (s *DB) ExpireGrants(ctx context.Context, until time.Time) (int, error) {
	for total := 0; ; {
		n := 0
		err := s.change(ctx, "delete old grants", func(ctx context.Context, tx *sql.Tx) (err error) {
			// What has expired was issued before, so the index by that time bounds what is read.
			n, err = changeRows(ctx, tx, `DELETE FROM grants WHERE id IN (SELECT id FROM grants
				WHERE issued_ms <= $1 AND expires_ms <= $1 ORDER BY issued_ms, id LIMIT $2`+s.dialect.skipLocked+`)`, millis(until), expireGrants)
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
