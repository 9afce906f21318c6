package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// openStatements opens a SQLite database with one connection and a table of the numbers 1
// to 3, and returns how many statements the connection keeps.
func openStatements(t *testing.T) (db *sql.DB, kept func() int) {
	t.Helper()
	db, err := openCached(sqliteDSN(filepath.Join(t.TempDir(), "statements.db")), func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	mustExec(t, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY)`)
	mustExec(t, db, `INSERT INTO numbers VALUES (1), (2), (3)`)
	return db, func() (n int) {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		err = conn.Raw(func(c any) error {
			n = len(c.(*cachingConn).statements)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func mustScan(t *testing.T, row *sql.Row, into ...any) {
	t.Helper()
	if err := row.Scan(into...); err != nil {
		t.Fatal(err)
	}
}

func TestStatementInUseCanBeRunAgain(t *testing.T) {
	t.Parallel()
	db, _ := openStatements(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var got []string
	for range 2 { // the second time the statement is kept
		got = append(got, nested(t, tx)...)
	}
	if want := "[1 1 2 2 3 3 1 1 2 2 3 3]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// nested runs a query, and again for each of its rows, of which it reads one.
func nested(t *testing.T, tx *sql.Tx) (got []string) {
	t.Helper()
	const query = `SELECT n FROM numbers WHERE n >= $1 ORDER BY n`
	rows, err := tx.QueryContext(t.Context(), query, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n, next int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		mustScan(t, tx.QueryRowContext(t.Context(), query, n), &next)
		got = append(got, fmt.Sprint(n, next))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestKeptStatementsFollowAChangeOfTheTables(t *testing.T) {
	t.Parallel()
	db, _ := openStatements(t)
	var n, square int
	const all, count = `SELECT * FROM numbers WHERE n = 2`, `SELECT COUNT(*) FROM numbers`
	mustScan(t, db.QueryRowContext(t.Context(), all), &n)
	mustExec(t, db, `ALTER TABLE numbers ADD COLUMN square INTEGER`)
	mustExec(t, db, `UPDATE numbers SET square = n * n`)
	if mustScan(t, db.QueryRowContext(t.Context(), all), &n, &square); n != 2 || square != 4 {
		t.Errorf("got %d, %d, want 2, 4", n, square)
	}
	mustScan(t, db.QueryRowContext(t.Context(), count), &n)
	mustExec(t, db, `DROP TABLE numbers`)
	if err := db.QueryRowContext(t.Context(), count).Scan(&n); err == nil {
		t.Error("the table is still there")
	}
	mustExec(t, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY)`)
	if mustScan(t, db.QueryRowContext(t.Context(), count), &n); n != 0 {
		t.Errorf("got %d, want 0", n)
	}
}

func TestKeptStatementsAreBounded(t *testing.T) {
	t.Parallel()
	db, kept := openStatements(t)
	const used = `SELECT n FROM numbers WHERE n = $1`
	for i := range 2 * maxStatements {
		var n int
		mustScan(t, db.QueryRowContext(t.Context(), used, 3), &n)
		mustScan(t, db.QueryRowContext(t.Context(), fmt.Sprint("SELECT ", i)), &n)
		if n != i {
			t.Fatalf("got %d, want %d", n, i)
		}
	}
	if n := kept(); n != maxStatements {
		t.Errorf("got %d statements, want %d", n, maxStatements)
	}
}

func TestPragmasAreNotKept(t *testing.T) {
	t.Parallel()
	db, kept := openStatements(t)
	before := kept()
	for range 2 {
		for _, want := range []int{0, 1} {
			var got int
			mustExec(t, db, fmt.Sprint(" pragma query_only = ", want))
			if mustScan(t, db.QueryRowContext(t.Context(), `PRAGMA query_only`), &got); got != want {
				t.Errorf("got query_only %d, want %d", got, want)
			}
		}
	}
	if n := kept(); n != before {
		t.Errorf("got %d statements, want %d", n, before)
	}
}

func TestFailedStatementCanBeRunAgain(t *testing.T) {
	t.Parallel()
	db, _ := openStatements(t)
	const insert = `INSERT INTO numbers VALUES ($1) RETURNING n`
	var n int
	for i, number := range []int{4, 4, 5} {
		_, err := db.ExecContext(t.Context(), insert, number)
		if failed := err != nil; failed != (i == 1) {
			t.Errorf("insert %d: %v", i, err)
		}
		err = db.QueryRowContext(t.Context(), insert, number+10).Scan(&n)
		if failed := err != nil; failed != (i == 1) {
			t.Errorf("insert and return %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.ExecContext(ctx, insert, 6); err == nil {
		t.Error("a canceled insert was made")
	}
	if mustScan(t, db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM numbers`), &n); n != 7 {
		t.Errorf("got %d numbers, want 7", n)
	}
}

func TestKeptStatementsDoNotBlockACheckpoint(t *testing.T) {
	t.Parallel()
	s := openNew(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
	rows, err := s.reader.QueryContext(t.Context(), `SELECT name FROM sqlite_master`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	checkpoint := func() (blocked, frames int) {
		t.Helper()
		var done int
		mustScan(t, s.writer.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`), &blocked, &frames, &done)
		return blocked, frames
	}
	mustExec(t, s.writer, `PRAGMA busy_timeout = 0`)
	mustExec(t, s.writer, `UPDATE access_state SET version = version`)
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if blocked, _ := checkpoint(); blocked != 1 {
		t.Error("rows that are being read do not block a checkpoint, so this test shows nothing")
	}
	_ = rows.Close() // although there are more
	if blocked, frames := checkpoint(); blocked != 0 || frames != 0 {
		t.Errorf("got blocked %d, %d frames left, want none", blocked, frames)
	}
}
