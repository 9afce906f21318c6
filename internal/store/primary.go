package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// errReadOnly is returned for a read that must see all changes, by a server that takes none: a standby,
// or a former primary that still holds connections after a failover by address.
var errReadOnly = errors.New("the database server is read-only, so it may lack the newest changes")

// readCurrent runs read, all of whose queries are answered by one server, which takes changes.
func (s *DB) readCurrent(ctx context.Context, read func(q querier) error) error {
	if s.pool == nil {
		return read(s.reader)
	}
	return s.onPrimary(func() error {
		tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		var readOnly bool
		if err := tx.QueryRowContext(ctx, `SELECT `+s.dialect.readOnly).Scan(&readOnly); err != nil {
			return fmt.Errorf("ask whether the server takes changes: %w", err)
		}
		if readOnly {
			return errReadOnly
		}
		return read(tx)
	})
}

// onPrimary runs do. If that returns errReadOnly, it drops all connections and runs do once more, on a
// new one, which may lead to the new primary.
func (s *DB) onPrimary(do func() error) error {
	err := do()
	if s.pool == nil || !errors.Is(err, errReadOnly) {
		return err
	}
	s.pool.drop()
	return do()
}

// Unreachable reports whether err, of a method of s, means that the server of the database cannot be
// used at the moment, and not that it refuses this user, has no such database, or has ended a statement that
// took too long. It is false on SQLite.
func (s *DB) Unreachable(err error) bool {
	if s.pool == nil || !errors.Is(err, ErrUnavailable) || isOtherSchema(err) {
		return false
	}
	const invalidLogin, noDatabase, canceled = "28", "3D", "57014"
	code := postgresCode(err)
	return !strings.HasPrefix(code, invalidLogin) && !strings.HasPrefix(code, noDatabase) && code != canceled
}
