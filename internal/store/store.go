// Package store keeps the truth in SQL: SQLite in a file, or PostgreSQL. Every
// query is written once for both; what truly differs is in dialect.go, and each
// dialect has migration files of its own. There is one file for each room that is
// served, and a change, its audit record and what else it causes are one
// transaction.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// ErrUnavailable: the database does not answer or cannot write. Nothing was half done.
var ErrUnavailable = fault.New(fault.Unavailable, "store_unavailable",
	"The broker's database does not answer; nothing was changed. Try again.").After(2 * time.Second)

// Options say which database to open. All fields are required.
type Options struct {
	// URL is sqlite:<path of the file> or postgres://….
	URL secret.URL
	Box *secret.Box // seals what is personal
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	writer  *sql.DB // SQLite: one connection, since it has one writer
	reader  *sql.DB // PostgreSQL: the same pool as writer
	box     *secret.Box

	migrated atomic.Bool // nothing is pending, which stays so
}

// Open prepares the database at o.URL. A SQLite file and its folder are made when
// they are not there; PostgreSQL is first spoken to when it is first needed, so
// that a broker can start before its database.
func Open(o Options) (*DB, error) {
	scheme, rest, _ := strings.Cut(o.URL.Reveal(), ":")
	db := &DB{box: o.Box}
	var err error
	switch scheme {
	case "sqlite":
		db.dialect = sqliteDialect(rest)
		db.writer, db.reader, err = openSQLite(rest)
	case "postgres", "postgresql":
		db.dialect = postgresDialect()
		db.writer, err = openPostgres(o.URL)
		db.reader = db.writer
	default:
		err = errors.New("want sqlite:<file> or postgres://<user>:<password>@<host>/<database>")
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close ends all connections. Transactions under way are rolled back.
func (s *DB) Close() error {
	if s.reader == s.writer {
		return s.writer.Close()
	}
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// Ready reports why the database cannot be used: ErrUnavailable, or a sentence that
// says it is not migrated; either may be shown to anybody. nil means that it can.
func (s *DB) Ready(ctx context.Context) error {
	if err := s.reader.PingContext(ctx); err != nil {
		return ErrUnavailable.Because(fmt.Errorf("ping: %w", err))
	}
	if s.migrated.Load() {
		return nil
	}
	pending, err := s.pending(ctx)
	if err != nil {
		return ErrUnavailable.Because(fmt.Errorf("look for migrations: %w", err))
	}
	if pending {
		return errors.New("the database is not migrated; run broker migrate")
	}
	s.migrated.Store(true)
	return nil
}

// patience bounds what is asked of the database at a time, waiting for a connection
// included. One that hangs is as good as away.
const patience = 15 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

// change runs do in one transaction. When do or the commit fails, nothing was changed.
func (s *DB) change(ctx context.Context, what string, do func(tx *sql.Tx) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(ctx, what, err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return s.explain(ctx, what, err)
	}
	if err := tx.Commit(); err != nil {
		return s.explain(ctx, what, err)
	}
	return nil
}

// explain wraps err with what was tried, as ErrUnavailable when the database is
// what failed. A fault of a room passes as it is.
func (s *DB) explain(ctx context.Context, what string, err error) error {
	var f *fault.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return ErrUnavailable.Because(fmt.Errorf("%s: %w", what, ctx.Err()))
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	case s.dialect.down(err):
		return ErrUnavailable.Because(fmt.Errorf("%s: %w", what, err))
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// millis is how an instant stands in a column: milliseconds since 1970, UTC.
func millis(t time.Time) int64 { return t.UnixMilli() }

// instant is the reverse of millis.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// flag is how a truth value stands in a column.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
