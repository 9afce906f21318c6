package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// lastStatements are what ends a transaction of PostgreSQL, as the argument of an empty
// statement.
type lastStatements []lastStatement

// unmetCode is the error of a condition that is not met: a division by zero.
const unmetCode = "22012"

var errRolledBack = errors.New("the transaction was rolled back instead of committed")

// commitWith sends statements and COMMIT as one message.
func (c *postgresConn) commitWith(ctx context.Context, statements lastStatements) error {
	batch := &pgconn.Batch{}
	for _, s := range statements {
		query := s.query
		if s.unmet != nil {
			query = "SELECT 1 / CASE WHEN " + query + " THEN 1 ELSE 0 END"
		}
		values := make([][]byte, len(s.args))
		for i, arg := range s.args {
			value, err := textOf(arg)
			if err != nil {
				return err
			}
			values[i] = value
		}
		batch.ExecParams(query, values, nil, nil, nil)
	}
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	results := c.Conn.Conn().PgConn().ExecBatch(ctx, batch)
	done, committed := 0, false
	var wrong error
	for results.NextResult() {
		r := results.ResultReader().Read()
		switch {
		case r.Err != nil:
			continue // Close returns it
		case done == len(statements):
			committed = r.CommandTag.String() == "COMMIT"
			continue
		}
		if err := statements[done].take(r); err != nil && wrong == nil {
			wrong = err
		}
		done++
	}
	err := results.Close()
	switch {
	case postgresCode(err) == unmetCode && done < len(statements) && statements[done].unmet != nil:
		return unmetError{statements[done].unmet}
	case err != nil:
		c.noteReadOnly(err)
		return err
	case !committed:
		return errRolledBack
	}
	c.committed = true
	return wrong
}

// unmetError says that a condition of the last statements was not met. The transaction was not
// committed.
type unmetError struct{ error }

func (e unmetError) Unwrap() error { return e.error }

// take stores the result of s.
func (s *lastStatement) take(r *pgconn.Result) (err error) {
	if s.affected != nil {
		*s.affected = int(r.CommandTag.RowsAffected())
	}
	if s.into == nil || r.Err != nil {
		return nil
	}
	if len(r.Rows) != 1 {
		return fmt.Errorf("got %d rows, want one of: %s", len(r.Rows), s.query)
	}
	*s.into, err = strconv.ParseInt(string(r.Rows[0][0]), 10, 64)
	return err
}

// textOf returns a value of a statement as text, nil for NULL.
func textOf(value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case int:
		return strconv.AppendInt(nil, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(nil, v, 10), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return append([]byte(`\x`), hex.AppendEncode(nil, v)...), nil
	default:
		return nil, fmt.Errorf("a value of a last statement has the type %T", value)
	}
}
