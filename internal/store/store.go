// Package store keeps the truth in SQL: SQLite in a file, or PostgreSQL. Every
// query is written once for both; what truly differs is in dialect.go, and each
// dialect has migration files of its own. There is one file for each room that is
// served, and a change, its audit record and what else it causes are one
// transaction.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// ErrUnavailable: the database does not answer or cannot write. Nothing was half done.
var ErrUnavailable = fault.New(fault.Unavailable, "store_unavailable",
	"The broker's database does not answer or cannot be written to; nothing was changed. Try again.").After(2 * time.Second)

// errUnknownEnd: the connection was lost while a change was being made durable. To
// callers it is ErrUnavailable.
var errUnknownEnd = ErrUnavailable.Withf(
	"The broker's database went away before it said whether this was done; it may or may not have been. Sending the same again is safe.")

// Options say which database to open. URL and Box are required.
type Options struct {
	// URL is sqlite:<path of the file> or postgres://….
	URL secret.URL
	Box *secret.Box  // seals what is personal; a key that proves to be a wrong one is dropped from it
	Log *slog.Logger // told of what does not open; nil for none
	// Unaudited is told why a change was made without its audit record. Where it is
	// nil, such a change is not made.
	Unaudited func(error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	writer  *sql.DB // SQLite: one connection, since it has one writer
	reader  *sql.DB // PostgreSQL: the same pool as writer
	group   *group  // SQLite: what uses writer; PostgreSQL: nil
	lanes   *lanes  // what audit records are appended to
	box     *secret.Box
	log     *slog.Logger

	usable     atomic.Bool // it is migrated and the keys are right, which stays so
	unwritable atomic.Bool // the last change failed for the database's sake
}

// Open prepares the database at o.URL. A SQLite file and its folder are made when
// they are not there; PostgreSQL is first spoken to when it is first needed, so
// that a broker can start before its database.
func Open(o Options) (*DB, error) {
	scheme, rest, _ := strings.Cut(o.URL.Reveal(), ":")
	db := &DB{box: o.Box, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	var err error
	switch scheme {
	case "sqlite":
		db.dialect = sqliteDialect(rest)
		if db.writer, db.reader, err = openSQLite(rest); err == nil {
			db.lanes = newLanes(db.writer, &db.dialect, o, 1)
			db.group = newGroup(db.writer, db.lanes)
			db.dialect.insert = db.group.rows.insert
		}
	case "postgres", "postgresql":
		db.dialect = postgresDialect()
		db.writer, err = openPostgres(o.URL)
		db.reader = db.writer
		db.lanes = newLanes(db.writer, &db.dialect, o, maxConns)
	default:
		err = errors.New("want sqlite:<file> or postgres://<user>:<password>@<host>/<database>")
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close ends all connections. On SQLite, changes that have begun are made durable
// first; on PostgreSQL, a transaction under way may still be ended by its caller.
func (s *DB) Close() error {
	if s.group == nil {
		return s.writer.Close()
	}
	s.group.close()
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// Ready reports why the database cannot be used: ErrUnavailable, or a sentence that
// says it is not migrated; either may be shown to anybody. The cause of ErrUnavailable
// is a WrongKeyError when the database answers, but was sealed under another key. nil
// means that it can be used. Before that was found once, nothing is changed in it. Once
// a change failed it is found out by writing, for a full disk still answers.
func (s *DB) Ready(ctx context.Context) error {
	if err := s.reader.PingContext(ctx); err != nil {
		return ErrUnavailable.Because(fmt.Errorf("ping: %w", err))
	}
	if err := s.prepare(ctx); err != nil || !s.unwritable.Load() {
		return err
	}
	return s.change(ctx, "see whether it can be written to", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE access_state SET version = version`)
		return err
	})
}

// prepare looks, until all is well, whether the database is one that these keys and
// this program may write to.
func (s *DB) prepare(ctx context.Context) error {
	if s.usable.Load() {
		return nil
	}
	pending, err := s.pending(ctx)
	if err != nil {
		return ErrUnavailable.Because(fmt.Errorf("look for migrations: %w", err))
	}
	if pending {
		return errors.New("the database is not migrated; run broker migrate")
	}
	err = s.checkKeys(ctx)
	switch {
	case errors.As(err, new(*WrongKeyError)):
		return err
	case err != nil:
		return ErrUnavailable.Because(fmt.Errorf("look at the sealing keys: %w", err))
	}
	s.usable.Store(true)
	return nil
}

// patience bounds what is asked of the database at a time, waiting for a connection
// included. One that hangs is as good as away.
const patience = 15 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

// work is what one change does. It uses the context that it is given: on SQLite
// the statements of several changes are one transaction, which the end of one
// caller's context must not harm.
type work func(ctx context.Context, tx *sql.Tx) error

// change runs do in a transaction. It is durable when change returns nil; when it
// returns an error, nothing was changed, unless that is errUnknownEnd. do may not call
// change itself.
func (s *DB) change(ctx context.Context, what string, do work) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.prepare(ctx); err != nil {
		return s.explain(ctx, what, cmp.Or(ctx.Err(), err))
	}
	return s.transact(ctx, what, do)
}

// transact is change without a look at whether the database may be used.
func (s *DB) transact(ctx context.Context, what string, do work) error {
	var err error
	if s.group != nil {
		err = s.group.change(ctx, do)
	} else {
		err = s.alone(ctx, do)
	}
	err = s.explain(ctx, what, err)
	if err == nil || errors.Is(err, ErrUnavailable) {
		s.unwritable.Store(err != nil)
	}
	return err
}

// alone runs do in a transaction of its own. Each of its statements sees what the
// one before it waited for, whatever the database's own default is.
func (s *DB) alone(ctx context.Context, do work) error {
	h, err := s.lanes.take(ctx)
	if err != nil {
		return err
	}
	defer h.leave()
	tx, err := s.writer.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := attempt(h.with(ctx), tx, do); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = h.commit(ctx, tx)
	if err != nil && (ctx.Err() != nil || s.dialect.down(err)) {
		return errUnknownEnd.Because(fmt.Errorf("commit: %w", err))
	}
	return err
}

// attempt is do, with a panic made an error.
func attempt(ctx context.Context, tx *sql.Tx, do work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do(ctx, tx)
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
