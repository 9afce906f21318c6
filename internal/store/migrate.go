package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate runs the migrations that have not run yet, and returns their number. Of
// concurrent callers, also in other processes, one does the work while the others wait.
func (s *DB) Migrate(ctx context.Context) (int, error) {
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return 0, s.explain(ctx, "lock the database for migration", err)
	}
	defer unlock()
	provider, err := s.provider()
	if err != nil {
		return 0, err
	}
	if s.pool != nil {
		defer s.pool.beginMigration()()
	}
	if s.file != nil {
		if err := s.file.markTorn(ctx, s.writer); err != nil {
			return 0, s.explain(ctx, "mark the database file", err)
		}
	}
	if err := notNewer(ctx, provider); err != nil {
		return 0, s.explain(ctx, "read the version of the schema", err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return len(done), s.explain(ctx, "migrate", err)
	}
	return len(done), nil
}

// checkSchema returns ErrNotMigrated if there are migrations that have not run, and ErrNewerSchema
// if one has run that this release does not know.
func (s *DB) checkSchema(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	if err := notNewer(ctx, provider); err != nil {
		return err
	}
	pending, err := provider.HasPending(ctx)
	if err == nil && pending {
		err = ErrNotMigrated
	}
	return err
}

// notNewer returns ErrNewerSchema if the newest migration that has run is newer than those of provider.
func notNewer(ctx context.Context, provider *goose.Provider) error {
	has, known, err := provider.GetVersions(ctx)
	if err == nil && has > known {
		err = fmt.Errorf("%w, or restore a backup from before the upgrade: its schema has the number %d, this release knows those up to %d",
			ErrNewerSchema, has, known)
	}
	return err
}

// isOtherSchema reports whether err says that the database has not the schema of this release.
func isOtherSchema(err error) bool {
	return errors.Is(err, ErrNotMigrated) || errors.Is(err, ErrNewerSchema)
}

func (s *DB) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return nil, err
	}
	// Branches are merged in any order, so a database can lack a number below its highest.
	options := []goose.ProviderOption{goose.WithAllowOutofOrder(true)}
	options = append(options, goose.WithGoMigrations(s.sealUnchained()))
	return goose.NewProvider(goose.Dialect(s.dialect.goose), s.writer, files, options...)
}

// isMissing reports whether err says that the database lacks a table or a column.
func isMissing(err error) bool {
	const noTable, noColumn = "42P01", "42703"
	code := postgresCode(err)
	return code == noTable || code == noColumn || strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column")
}

// migrationsPoll is how often a lock that another process holds is tried again.
const migrationsPoll = 100 * time.Millisecond

// lockMigrations waits until no other process migrates the database, and keeps others from it
// until unlock is called or the process ends.
func (s *DB) lockMigrations(ctx context.Context) (unlock func(), err error) {
	if s.dialect.lockFile == "" {
		return s.lockInTransaction(ctx)
	}
	file := flock.New(s.dialect.lockFile, flock.SetPermissions(0o600))
	locked, err := file.TryLockContext(ctx, migrationsPoll/2)
	if err != nil {
		return nil, err
	}
	if !locked {
		return nil, errors.New("another process holds " + s.dialect.lockFile)
	}
	return func() { _ = file.Unlock() }, nil
}

// lockInTransaction holds the lock of the migration library, which earlier releases take, too,
// for a transaction instead of a session: a pooler gives a session to others while it is locked. Who
// waits for the lock has no connection meanwhile, so that the holder gets the second one that it
// needs.
func (s *DB) lockInTransaction(ctx context.Context) (unlock func(), err error) {
	for {
		unlock, err := s.tryLock(ctx)
		if unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(migrationsPoll):
		}
	}
}

// tryLock returns a nil unlock if another process holds the lock. Read committed, whatever the
// database's default: CREATE INDEX CONCURRENTLY waits for transactions that keep a snapshot.
func (s *DB) tryLock(ctx context.Context) (unlock func(), err error) {
	tx, err := s.writer.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = tx.Rollback() }
	locked := false
	err = tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, lock.DefaultLockID).Scan(&locked)
	if err == nil && locked {
		_, err = tx.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`)
	}
	if err != nil || !locked {
		unlock()
		return nil, err
	}
	return unlock, nil
}
