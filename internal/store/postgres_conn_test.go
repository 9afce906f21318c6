package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// warmConns is how many connections the tests of lost connections open.
const warmConns = 8

// warm has db open warmConns connections, or says that it did not.
func warm(t *testing.T, db *store.DB, direct *sql.DB) {
	t.Helper()
	conn, err := direct.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), `BEGIN; LOCK TABLE blocks IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	var readers errgroup.Group
	for range warmConns {
		readers.Go(func() error {
			return patient(func() error {
				_, err := db.ActiveBlock(t.Context(), "app:nobody", time.Now())
				return err
			})
		})
	}
	for waiting := 0; waiting < warmConns && t.Context().Err() == nil; {
		err := conn.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks
			WHERE NOT granted AND relation = 'blocks'::regclass`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := readers.Wait(); err != nil {
		t.Fatal(err)
	}
}

// patient repeats do while the server counts as one that hangs, which on a busy machine also one does
// that takes a second for a connection.
func patient(do func() error) (err error) {
	for range 30 {
		if err = do(); err == nil || !strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), "the server hangs") {
			return err
		}
		<-time.After(500 * time.Millisecond)
	}
	return err
}

// endSessions ends all sessions of the database but the one of direct, as a fast restart does, and
// returns once they are gone.
func endSessions(t *testing.T, direct *sql.DB) {
	t.Helper()
	const others = ` FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	var ended int
	if err := direct.QueryRowContext(t.Context(), `SELECT COUNT(*) FILTER (WHERE pg_terminate_backend(pid))`+others).Scan(&ended); err != nil || ended < warmConns {
		t.Fatalf("ended %d sessions, %v; want %d or more", ended, err, warmConns)
	}
	for left := 1; left > 0 && t.Context().Err() == nil; {
		if err := direct.QueryRowContext(t.Context(), `SELECT COUNT(*)`+others).Scan(&left); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLostConnectionsCostNoChangeAndNoRead(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, direct := storetest.Open(t, url, storetest.NewBox(t)), storetest.SQL(t, url)
	direct.SetMaxOpenConns(1)
	use := map[string]func(ctx context.Context, i int) error{
		"change": func(ctx context.Context, i int) error { return blockUser(ctx, db, fmt.Sprintf("app:%d", i)) },
		"read": func(ctx context.Context, i int) error {
			_, err := db.ActiveBlock(ctx, fmt.Sprintf("app:%d", i), time.Now())
			return err
		},
	}
	if err := blockUser(t.Context(), db, "app:first"); err != nil {
		t.Fatal(err)
	}
	for name, do := range use {
		warm(t, db, direct)
		endSessions(t, direct)
		var all errgroup.Group
		for i := range 2 * warmConns {
			all.Go(func() error { return do(t.Context(), i) })
		}
		if err := all.Wait(); err != nil {
			t.Errorf("a %s after all connections were lost: got %v, want no error", name, err)
		}
	}
}

// blockUser blocks subject.
func blockUser(ctx context.Context, db *store.DB, subject string) error {
	now := time.Now()
	c := access.Change{Kind: access.Block, Subject: subject, Reason: "x", At: now, Actor: "t"}
	_, err := db.ChangeAccess(ctx, c, audit.New(ctx, now, "t", audit.UserBlock, subject, ""))
	return err
}
