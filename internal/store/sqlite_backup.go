package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotSQLite is returned for a database that is backed up with tools of its own.
var ErrNotSQLite = errors.New("store.url names PostgreSQL: use pg_dump and pg_restore")

// ErrInUse is returned when another process has the database open.
var ErrInUse = errors.New("the database is open in another process; stop the broker first")

// ErrNewerSchema is returned for a database that a newer release has migrated.
var ErrNewerSchema = errors.New("the database was migrated by a newer release; use that release")

// ErrTorn is returned for a SQLite file that was copied from a running broker without its
// -wal file.
var ErrTorn = errors.New("the database file was copied from a running broker without the -wal file next to it: what was in that is missing; " +
	"use broker backup, or stop the broker and copy all files of the database")

// A SQLite file in use has its newest changes in a second file, -wal. So that a copy of the
// first one alone is recognised, the first one says "torn" in its user_version, and the
// second one says "whole": both together, and all that SQLite makes of them (checkpoints of other
// programs, too), are whole. Marking restores that state after a checkpoint.
const (
	versionWhole = 0
	versionTorn  = 1
)

// MarkTorn has the database file say that it is not whole without its -wal file, if it does
// not say so already. On PostgreSQL it does nothing.
func (s *DB) MarkTorn(ctx context.Context) error {
	if s.file == nil || versionIn(s.file.file) == versionTorn {
		return nil
	}
	if err := s.setVersion(ctx, versionTorn); err != nil {
		return err
	}
	_, err := s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return errors.Join(err, s.setVersion(context.WithoutCancel(ctx), versionWhole))
}

func (s *DB) setVersion(ctx context.Context, version int) error {
	return s.change(ctx, "mark the database file", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
		return err
	})
}

// versionIn returns the user_version in the header of the file alone, -1 if it cannot be
// read.
func versionIn(file *os.File) int {
	version := make([]byte, 4)
	if _, err := file.ReadAt(version, 60); err != nil {
		return -1
	}
	return int(version[0])<<24 | int(version[1])<<16 | int(version[2])<<8 | int(version[3])
}

// CheckTorn returns ErrTorn if the SQLite file at path was copied from a running broker
// without its -wal file. It must be called before this process opens the database: that makes a
// new -wal file, and CheckTorn would drop the locks (see databaseFile).
func CheckTorn(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator's own setting
	if err != nil {
		return nil // opening the database reports that
	}
	defer func() { _ = file.Close() }()
	if _, err := os.Stat(path + "-wal"); err == nil || versionIn(file) != versionTorn {
		return nil
	}
	return ErrTorn
}

// SQLitePath returns the path of the file that a store.url names, or ErrNotSQLite.
func SQLitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok {
		return "", ErrNotSQLite
	}
	return path, nil
}

// CopySQLite writes a copy of the SQLite database at from to the new file to, which only the
// owner can read. The database may be in use; the copy is its state at one moment, in one file.
func CopySQLite(ctx context.Context, from, to string) error {
	if err := createEmpty(to); err != nil {
		return err
	}
	if err := execAlone(ctx, from, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := execAlone(ctx, to, fmt.Sprintf("PRAGMA user_version = %d", versionWhole)); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return syncPath(to)
}

func createEmpty(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return file.Close()
}

// execAlone executes a statement on a connection of its own to the SQLite file at path, which
// must exist.
func execAlone(ctx context.Context, path, statement string, args ...any) error {
	db, err := openAlone(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement, args...)
	return errors.Join(err, db.Close())
}

func openAlone(path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", sqliteFile(path)+"?mode=rw&_pragma=busy_timeout(5000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// CheckIntegrity returns an error if the SQLite file at path is damaged.
func CheckIntegrity(ctx context.Context, path string) error {
	db, err := openAlone(path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("%s is damaged, or no SQLite database: %w", path, err)
	}
	if result != "ok" {
		return fmt.Errorf("%s is damaged: %s", path, result)
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'").Scan(&tables); err != nil || tables == 0 {
		return errors.Join(err, fmt.Errorf("%s has no data of a broker: if it was copied from broker.db, the rest was in broker.db-wal", path))
	}
	return nil
}

// CheckUnused returns ErrInUse if another process has the SQLite file at path open. Otherwise
// all changes are in that one file afterwards. A file that does not exist is unused.
func CheckUnused(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := openAlone(path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "PRAGMA busy_timeout = 200"); err != nil {
		return err
	}
	// SQLite leaves WAL only for the last connection. A file that is damaged cannot be in use.
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); sqliteCode(err)&0xff == sqliteBusy {
		return ErrInUse
	}
	return nil
}

// Replace puts the file at from in the place of the SQLite database at path, which no process
// may have open, and returns where the one before is now, "" if there was none.
func Replace(from, path, suffix string) (before string, err error) {
	if _, err := os.Stat(path); err == nil {
		before = path + suffix
		if err := os.Link(path, before); err != nil { // fails if before exists
			return "", fmt.Errorf("keep the database before: %w", err)
		}
	}
	for _, rest := range []string{"-wal", "-shm"} { // they are of the database before
		if err := os.Remove(path + rest); err != nil && !errors.Is(err, os.ErrNotExist) {
			return before, err
		}
	}
	if err := os.Rename(from, path); err != nil {
		return before, err
	}
	return before, syncPath(filepath.Dir(path))
}

// syncPath returns once the file or folder at path is on the disk.
func syncPath(path string) error {
	file, err := os.Open(path) //nolint:gosec // as above
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// NewerThanKnown returns ErrNewerSchema if the database has migrations that this release does
// not know.
func (s *DB) NewerThanKnown(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return ErrNewerSchema
	}
	return nil
}
