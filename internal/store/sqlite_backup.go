package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrNotSQLite is returned for a database that is backed up with tools of its own.
var ErrNotSQLite = errors.New("store.url names PostgreSQL: use pg_dump and pg_restore")

// ErrInUse is returned when another process has the database open.
var ErrInUse = errors.New("the database is open in another process; stop the broker first")

// ErrNewerSchema is returned for a database that a newer release has migrated.
var ErrNewerSchema = errors.New("the database was migrated by a newer release; use that release")

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
	db, closeDB, err := openAlone(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement, args...)
	return errors.Join(err, closeDB())
}

// openAlone opens one connection to the SQLite file at path, which must exist. The last connection
// to a database leaves one whole file, unless that was torn before.
func openAlone(path string) (db *sql.DB, closeDB func() error, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err
	}
	torn := CheckTorn(path) != nil
	db, err = sql.Open("sqlite", sqliteFile(path)+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	if torn {
		return db, db.Close, nil
	}
	return db, func() error { return closeWhole(db) }, nil
}

// CheckIntegrity returns an error if the SQLite file at path is damaged.
func CheckIntegrity(ctx context.Context, path string) (err error) {
	db, closeDB, err := openAlone(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDB()) }()
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
	db, closeDB, err := openAlone(path)
	if err != nil {
		return err
	}
	defer func() { _ = closeDB() }()
	if _, err := db.ExecContext(ctx, "PRAGMA busy_timeout = 200"); err != nil {
		return err
	}
	// SQLite leaves WAL only for the last connection. A file that is damaged cannot be in use.
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); sqliteCode(err)&0xff == sqliteBusy {
		return ErrInUse
	}
	return nil
}
