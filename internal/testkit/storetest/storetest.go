// Package storetest opens databases for tests. Each one is new and migrated, is
// sealed with random keys, and is closed and removed when the test ends. It is a copy of
// a database that is migrated once per test binary and dialect, which takes less
// time than migrating each.
//
//	db := storetest.New(t)                                  // a SQLite file
//	storetest.Each(t, func(t *testing.T, db *store.DB) {…}) // the same test on SQLite and on PostgreSQL
//
// Tests that need the address or the keys, to share a database or to open it twice,
// put the parts together themselves: Open(t, SQLite(t), NewBox(t)). Tests of migrations
// start with EachEmptyURL, EmptySQLite and services.Postgres.
//
// Tests inside package store cannot import this package; those of package store_test
// can.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
)

// New returns a migrated SQLite database.
func New(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, SQLite(t), NewBox(t))
}

// Each runs test on a migrated database of each dialect, in parallel subtests.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { test(t, Open(t, url, NewBox(t))) })
}

// EachURL runs test with the URL of a new, migrated database of each dialect, in
// parallel subtests. Without PostgreSQL, its subtest is skipped.
func EachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	eachURL(t, SQLite, Postgres, test)
}

// EachEmptyURL is EachURL with databases that are not migrated.
func EachEmptyURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	eachURL(t, EmptySQLite, services.Postgres, test)
}

func eachURL(t *testing.T, sqlite, postgres func(testing.TB) string, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgres(t))
	})
}

// EmptySQLite returns the URL of a database file that does not exist yet, in a folder that
// does not exist yet either.
func EmptySQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(services.TempDir(t), "data", "broker.db")
}

// SQLite returns the URL of a new, migrated SQLite database.
func SQLite(t testing.TB) string {
	t.Helper()
	content, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	url := EmptySQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return url
}

// Postgres returns the URL of a new, migrated PostgreSQL database. Without PostgreSQL,
// the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	return services.CopyOfPostgres(t, migrate)
}

// migratedFile returns the content of a migrated SQLite file, which it makes once.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "casbroker-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "broker.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // a file of this function
})

// migrate migrates the database at url and closes it, which moves SQLite's WAL into its file.
func migrate(url string) error {
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		return err
	}
	db, err := store.Open(store.Options{URL: secret.URL(url), Box: box})
	if err != nil {
		return err
	}
	_, err = db.Migrate(context.Background())
	return errors.Join(err, db.Close())
}

// Open opens the database at url, migrates it if it is not, and closes it when the test ends.
func Open(t testing.TB, url string, box *secret.Box) *store.DB {
	t.Helper()
	db, err := store.Open(store.Options{URL: secret.URL(url), Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// SealUnchained seals the number of audit records without a chain of the database at url with
// box, since the copies that SQLite and Postgres return were migrated with another one.
func SealUnchained(t testing.TB, url string, box *secret.Box) {
	t.Helper()
	u := audit.Unchained{}
	db := SQL(t, url)
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit WHERE writer = ''`).Scan(&u.Records); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE audit_unchained SET records = $1, seal = $2`, u.Records, u.Sum(box)); err != nil {
		t.Fatal(err)
	}
}

// SQL opens the database at url without the store, for tests that look at the tables
// or change them, and closes it when the test ends.
func SQL(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// NewBox returns a box with a random hash key and one random sealing key, "k1".
func NewBox(t testing.TB) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		t.Fatal(err)
	}
	return box
}
