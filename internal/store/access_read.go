package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/access"
)

// AccessVersion returns the version of the newest change of access, 0 without changes.
func (s *DB) AccessVersion(ctx context.Context) (version int64, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.onPrimary(func() error {
		var readOnly bool
		err := s.reader.QueryRowContext(ctx, `SELECT version, `+s.dialect.readOnly+` FROM access_state`).Scan(&version, &readOnly)
		if err == nil && readOnly {
			err = errReadOnly
		}
		return err
	})
	return version, s.explain(ctx, "read access version", err)
}

// AccessChanges reads up to limit changes of access after the given version, oldest first.
func (s *DB) AccessChanges(ctx context.Context, after int64, limit int) ([]access.Change, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var list []access.Change
	err := s.readCurrent(ctx, func(q querier) (err error) {
		list, err = s.accessChanges(ctx, q, `version > $1 ORDER BY version LIMIT $2`, after, limit)
		return err
	})
	return list, s.explain(ctx, "read changes of access", err)
}

// AccessHistory reads up to limit changes of access that concern subject or all users,
// newest first, except those by which subject revoked its own tokens.
func (s *DB) AccessHistory(ctx context.Context, subject string, limit int) ([]access.Change, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.accessChanges(ctx, s.reader, `subject IN ('', $1) AND (actor <> $1 OR kind IN ('block', 'unblock'))
		ORDER BY version DESC LIMIT $2`, subject, limit)
	return list, s.explain(ctx, "read the history of access", err)
}

// AccessSnapshot reads the blocks in force at now and the changes made at since or later.
// It reads its version first, so it includes all changes up to that.
func (s *DB) AccessSnapshot(ctx context.Context, now, since time.Time) (access.Snapshot, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var snap access.Snapshot
	err := s.readCurrent(ctx, func(q querier) (err error) {
		if err := q.QueryRowContext(ctx, `SELECT version FROM access_state`).Scan(&snap.Version); err != nil {
			return err
		}
		if snap.Blocks, err = s.activeBlocks(ctx, q, now); err != nil {
			return err
		}
		snap.Revocations, err = s.accessChanges(ctx, q, `at_ms >= $1 ORDER BY +version`, millis(since))
		return err
	})
	return snap, s.explain(ctx, "read blocks and revocations", err)
}

func (s *DB) accessChanges(ctx context.Context, q querier, which string, args ...any) ([]access.Change, error) {
	query := `SELECT version, kind, subject, grant_id, reason, sealed_reason, until_ms, at_ms, actor FROM access_changes WHERE ` + which
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []access.Change
	for rows.Next() {
		var c access.Change
		var untilMS, atMS int64
		var sealed []byte
		if err := rows.Scan(&c.Version, &c.Kind, &c.Subject, &c.GrantID, &c.Reason, &sealed, &untilMS, &atMS, &c.Actor); err != nil {
			return nil, err
		}
		c.Reason = s.openReason(reasonOfChange(c.Version), c.Reason, sealed)
		c.Until, c.At = optionalInstant(untilMS), instant(atMS)
		list = append(list, c)
	}
	return list, rows.Err()
}

// inForce is the condition that a block is in force at $1.
const inForce = `(until_ms = 0 OR until_ms > $1)`

const blockColumns = `subject, reason, sealed_reason, until_ms, at_ms, actor, version`

// scanBlock scans blockColumns.
func (s *DB) scanBlock(scan func(...any) error) (access.ActiveBlock, error) {
	var b access.ActiveBlock
	var untilMS, atMS int64
	var sealed []byte
	err := scan(&b.Subject, &b.Reason, &sealed, &untilMS, &atMS, &b.Actor, &b.Version)
	b.Reason = s.openReason(blockData(b.Subject), b.Reason, sealed)
	b.Until, b.At = optionalInstant(untilMS), instant(atMS)
	return b, err
}

func (s *DB) activeBlocks(ctx context.Context, q querier, now time.Time) ([]access.ActiveBlock, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+blockColumns+` FROM blocks WHERE `+inForce, millis(now))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []access.ActiveBlock
	for rows.Next() {
		b, err := s.scanBlock(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, rows.Err()
}

// ActiveBlock returns the block of subject that is in force at now, or nil.
func (s *DB) ActiveBlock(ctx context.Context, subject string, now time.Time) (*access.ActiveBlock, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	b, err := s.readBlock(ctx, s.reader, subject, now)
	return b, s.explain(ctx, "read block", err)
}

// querier is implemented by *sql.DB and *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *DB) readBlock(ctx context.Context, q querier, subject string, now time.Time) (*access.ActiveBlock, error) {
	row := q.QueryRowContext(ctx, `SELECT `+blockColumns+` FROM blocks WHERE `+inForce+` AND subject = $2`, millis(now), subject)
	b, err := s.scanBlock(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // no block is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read block: %w", err)
	}
	return &b, nil
}
