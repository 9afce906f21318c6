package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
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

// ErrUnavailable is returned when the database does not answer or cannot write. Nothing
// was changed.
var ErrUnavailable = fault.New(fault.Unavailable, "store_unavailable",
	"The service cannot reach its data at the moment; nothing was changed. Try again in some seconds.").
	After(2 * time.Second).WithNotef("The database does not answer or cannot be written to.")

// errUnknownOutcome is the ErrUnavailable of a change whose connection was lost during
// the commit.
var errUnknownOutcome = ErrUnavailable.Withf(
	"The service could not confirm the change, which may or may not have been made. It is safe to send the same request again.").
	WithNotef("The connection to the database was lost during the commit.")

// queryTimeout bounds each read and each change, including the wait for a connection. A
// database that hangs counts as unavailable.
const queryTimeout = 15 * time.Second

func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, queryTimeout)
}

// Options say which database to open. URL and Box are required.
type Options struct {
	// URL is sqlite:<path of the file> or postgres://….
	URL secret.URL
	Box *secret.Box  // seals personal data; a key that proves to be wrong is disabled in it
	Log *slog.Logger // logs data that cannot be decrypted, and lost servers; nil discards
	// MaxConns is the greatest number of connections to PostgreSQL, 2 or more; 0 means 20.
	MaxConns int
	// AcceptTorn is for a SQLite file that was copied without its -wal file: once the database is
	// closed, the file does not say so any more.
	AcceptTorn bool
	Pooler     string // PoolerAuto, which "" means, PoolerNone or PoolerTransaction
	// Unaudited is called with the reason when a change is made without its audit record.
	// If it is nil, such a change fails instead.
	Unaudited func(error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	writer  *sql.DB       // SQLite: one connection, since SQLite has one writer
	reader  *sql.DB       // PostgreSQL: the same pool as writer
	pool    *postgresPool // opens the connections of writer; SQLite: nil
	size    int           // of pool, in connections; SQLite: 0
	group   *group        // SQLite: the only user of writer; PostgreSQL: nil
	file    *databaseFile // SQLite: what writer and reader have open; PostgreSQL: nil
	chains  *chainPool
	emitted chan struct{} // has a value after an event was committed
	box     *secret.Box
	log     *slog.Logger

	usable     atomic.Bool  // the database is migrated and the keys are right; never becomes false again
	testedAt   atomic.Int64 // when the last test of writing has succeeded, unix ns
	unwritable atomic.Bool  // a change has failed with ErrUnavailable since the last test of writing
	full       atomic.Bool  // SQLite: a change has failed because the disk was full; as above
}

// Open prepares the database at o.URL. It creates a SQLite file and its folder if they
// do not exist. It does not connect to PostgreSQL, so a broker can start before its
// database.
func Open(o Options) (*DB, error) {
	scheme, rest, _ := strings.Cut(o.URL.Reveal(), ":")
	db := &DB{emitted: make(chan struct{}, 1), box: o.Box, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	var err error
	switch scheme {
	case "sqlite":
		db.dialect = sqliteDialect(rest)
		if db.writer, db.reader, db.file, err = openSQLite(rest, db.log); err == nil {
			db.chains = newChainPool(db.writer, db, &db.dialect, o, 1)
			db.file.torn = db.file.torn && !o.AcceptTorn
			db.group = newGroup(db.writer, db.chains, db.file, db.notifyEmitted)
		}
	case "postgres", "postgresql":
		db.dialect = postgresDialect()
		db.size = cmp.Or(o.MaxConns, defaultConns)
		if db.pool, err = openPostgres(o, db.log); err == nil {
			db.writer = db.pool.open(db.size)
			db.reader = db.writer
			db.chains = newChainPool(db.writer, db, &db.dialect, o, db.size)
		}
	default:
		err = errors.New("want sqlite:<file> or postgres://<user>:<password>@<host>/<database>")
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes all connections, and gives up the audit chains of this process. On SQLite it
// first commits the changes that have begun; on PostgreSQL a transaction that is under way can still be
// ended by its caller.
func (s *DB) Close() error {
	if s.group != nil {
		s.group.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveUpTimeout)
	defer cancel()
	if err := s.chains.giveUp(ctx); err != nil {
		s.log.Warn("the next process does not continue the audit chains of this one at once", "error", err.Error())
	}
	if s.group == nil {
		return s.writer.Close()
	}
	return errors.Join(s.reader.Close(), s.file.closeWriter(s.writer), s.file.close())
}

// Ready returns nil if the database can be used, else ErrUnavailable or an error that
// says that it is not migrated. Both may be shown to every caller. If the database
// answers but was sealed under another key, the cause of ErrUnavailable is a
// WrongKeyError. No change is made before Ready or a change has found the database
// usable once. After a change has failed, and on PostgreSQL every testEvery, Ready
// tests by writing, since a full disk still answers reads.
func (s *DB) Ready(ctx context.Context) error {
	if err := s.CheckFile(); err != nil {
		return err
	}
	if err := s.ping(ctx); err != nil {
		return ErrUnavailable.Because(fmt.Errorf("ping: %w", err))
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.testWriting(ctx)
}

// ping returns an error if no connection works. One that the database has closed while it was
// idle fails; each ping removes it from the pool, until one is alive or new.
func (s *DB) ping(ctx context.Context) (err error) {
	for range s.size + 1 {
		if err = s.reader.PingContext(ctx); !errors.Is(err, driver.ErrBadConn) {
			return err
		}
	}
	return err
}

// prepare checks that the database is migrated and that the keys are right. Once both
// are, it does nothing.
func (s *DB) prepare(ctx context.Context) error {
	if s.usable.Load() {
		return nil
	}
	err := s.checkSchema(ctx)
	switch {
	case isOtherSchema(err):
		return err
	case err != nil:
		return ErrUnavailable.Because(fmt.Errorf("list migrations: %w", err))
	}
	err = s.checkKeys(ctx)
	switch {
	case errors.As(err, new(*WrongKeyError)):
		return err
	case err != nil:
		return ErrUnavailable.Because(fmt.Errorf("check the sealing keys: %w", err))
	}
	s.usable.Store(true)
	return nil
}

// work is the body of one change. It uses the context that it is given: on SQLite the
// statements of several changes are one transaction, and the end of one caller's context
// must not roll back the others.
type work func(ctx context.Context, tx *sql.Tx) error

// change runs do in a transaction, which is durable when change returns nil. When it
// returns an error, nothing was changed, unless the error is errUnknownOutcome. do must
// not call change.
func (s *DB) change(ctx context.Context, action string, do work) error {
	return s.prepareAndTransact(ctx, action, durable, do)
}

// changeUnsynced is change for what can be lost in a power cut if it was made in the last
// milliseconds. On SQLite it does not wait for the disk: the change survives the end of the
// process, however that ends, and it survives a power cut syncDelay later, or once a later
// change has returned. do must not write audit records.
func (s *DB) changeUnsynced(ctx context.Context, action string, do work) error {
	return s.prepareAndTransact(ctx, action, unsynced, do)
}

// changeLater is change for what no user waits for. On SQLite it takes up to syncDelay
// longer, so that many such changes share a transaction.
func (s *DB) changeLater(ctx context.Context, action string, do work) error {
	return s.prepareAndTransact(ctx, action, later, do)
}

func (s *DB) prepareAndTransact(ctx context.Context, action string, u urgency, do work) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if err := s.prepare(ctx); err != nil {
		if isOtherSchema(err) {
			err = ErrUnavailable.Because(err)
		}
		return s.explain(ctx, action, cmp.Or(ctx.Err(), err))
	}
	return s.transact(ctx, action, u, do)
}

// transact makes a change without the check whether the database may be used.
func (s *DB) transact(ctx context.Context, action string, u urgency, do work) error {
	if err := s.CheckFile(); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	ctx, span := startTransaction(ctx, action)
	defer span.End()
	do = withTraceparent(ctx, do)
	var err error
	if s.group != nil {
		err = s.group.change(ctx, u, do)
	} else {
		err = s.inTransaction(ctx, do)
	}
	err = s.explain(ctx, action, err)
	if err == nil || errors.Is(err, ErrUnavailable) {
		span.FailIf(err)
	}
	if errors.Is(err, ErrUnavailable) {
		if isDiskFull(err) {
			s.full.Store(true)
		}
		s.unwritable.Store(true) // until testWriting succeeds
	}
	return err
}

// inTransaction runs do in its own transaction, a second time if another release has migrated the
// database meanwhile, or the server takes no changes: new connections may lead to another one.
// Read committed, whatever the database's
// default: a statement after a lock sees what the previous holder committed.
func (s *DB) inTransaction(ctx context.Context, do work) error {
	err := s.tryTransaction(ctx, do)
	if code := postgresCode(err); code == stalePlanCode || code == readOnlyCode {
		err = s.tryTransaction(ctx, do)
	}
	return err
}

func (s *DB) tryTransaction(ctx context.Context, do work) error {
	lease, err := s.chains.acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.release()
	tx, err := s.writer.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := call(lease.attach(ctx), tx, do); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = lease.commit(ctx, tx)
	if err != nil && (ctx.Err() != nil || s.dialect.down(err) && postgresCode(err) != frozenCode) {
		return errUnknownOutcome.Because(fmt.Errorf("commit: %w", err))
	}
	if err == nil {
		s.notifyEmitted(lease)
	}
	return err
}

// call calls do and returns a panic as an error.
func call(ctx context.Context, tx *sql.Tx, do work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do(ctx, tx)
}

// explain prefixes err with the action that failed, and makes it ErrUnavailable if the
// database failed. It returns a fault as it is.
func (s *DB) explain(ctx context.Context, action string, err error) error {
	var f *fault.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return ErrUnavailable.Because(fmt.Errorf("%s: %w", action, ctx.Err()))
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", action, context.Cause(ctx))
	case s.dialect.down(err):
		return ErrUnavailable.Because(fmt.Errorf("%s: %w", action, err))
	case !s.usable.Load() && isMissing(err):
		return ErrUnavailable.Because(fmt.Errorf("%s: %w: %w", action, ErrNotMigrated, err))
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}

// millis returns t as columns hold it: milliseconds since 1970, UTC.
func millis(t time.Time) int64 { return t.UnixMilli() }

// instant is the inverse of millis.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// optionalMillis is millis for an instant that may be zero, which columns hold as 0.
func optionalMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return millis(t)
}

// optionalInstant is the inverse of optionalMillis.
func optionalInstant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return instant(ms)
}

// boolInt returns b as columns hold it.
func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// IsOutage reports whether err, of Ready, says that the database does not answer or cannot
// write now. It is not an outage that the database is not migrated, was encrypted with another
// key, or that its file was replaced.
func IsOutage(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.As(err, new(*WrongKeyError)) && !errors.Is(err, errOtherFile)
}
