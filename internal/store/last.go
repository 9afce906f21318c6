package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// errOvertaken is returned for a change that another one came before of, so that what it has read is
// not true any more. Nothing was changed.
var errOvertaken = errors.New("another change came first")

// lastStatement is one of the statements with which a change ends, after which it only
// commits. On PostgreSQL they are one message with COMMIT: locks that they take are held while
// the server works, and never while it waits for this process.
type lastStatement struct {
	query    string
	args     []any  // int, int64, string, []byte or nil
	into     *int64 // the first column of the row that the statement returns; may be nil
	affected *int   // the number of rows; may be nil
	unmet    error  // if set, query is an SQL condition, without which the change fails with unmet
}

// require returns a condition without which the change fails with unmet.
func require(unmet error, condition string, args ...any) lastStatement {
	return lastStatement{query: condition, args: args, unmet: unmet}
}

// waitForLock returns what waits for the lock called name, in the way of the dialect's lock or
// sharedLock. It is empty where there is one writer.
func waitForLock(lock, name string) []lastStatement {
	if lock == "" {
		return nil
	}
	return []lastStatement{{query: lock, args: []any{name}}}
}

// finish runs statements as the last of the change. Where statements have no locks to wait for, it
// does so at once; on PostgreSQL the commit does.
func (l *chainLease) finish(ctx context.Context, tx *sql.Tx, statements ...lastStatement) error {
	if l.pool.dialect.lock != "" {
		l.last = append(l.last, statements...)
		return nil
	}
	return runAll(ctx, tx, statements)
}

// commitWith runs statements as the last of tx, and commits it.
func (d *dialect) commitWith(ctx context.Context, tx *sql.Tx, statements []lastStatement) error {
	if d.lock == "" {
		if err := runAll(ctx, tx, statements); err != nil {
			return err
		}
	} else if len(statements) > 0 {
		if _, err := tx.ExecContext(ctx, "", lastStatements(statements)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func runAll(ctx context.Context, tx *sql.Tx, statements []lastStatement) error {
	for _, s := range statements {
		if err := s.run(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (s lastStatement) run(ctx context.Context, tx *sql.Tx) error {
	switch {
	case s.unmet != nil:
		met := false
		if err := tx.QueryRowContext(ctx, "SELECT "+s.query, s.args...).Scan(&met); err != nil {
			return fmt.Errorf("check a condition: %w", err)
		}
		if !met {
			return s.unmet
		}
		return nil
	case s.into != nil:
		return tx.QueryRowContext(ctx, s.query, s.args...).Scan(s.into)
	}
	result, err := tx.ExecContext(ctx, s.query, s.args...)
	if err != nil || s.affected == nil {
		return err
	}
	n, err := result.RowsAffected()
	*s.affected = int(n)
	return err
}
