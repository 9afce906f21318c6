package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/testkit/services"
)

// openDeferred opens a new database with tables whose foreign key is checked at the commit,
// which can make a commit fail.
func openDeferred(t *testing.T, url string) *DB {
	t.Helper()
	s := openNew(t, url)
	var err error
	for _, table := range []string{
		"CREATE TABLE noted (n INTEGER PRIMARY KEY)",
		"CREATE TABLE promised (n INTEGER REFERENCES noted (n) DEFERRABLE INITIALLY DEFERRED)",
	} {
		if err == nil {
			_, err = s.writer.ExecContext(t.Context(), table)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eachURL runs test with the address of a new database of each dialect, side by side.
func eachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "broker.db") },
		"postgres": func() string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url())
		})
	}
}

func TestChainIsAbandonedAfterAFailedCommit(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		s := openDeferred(t, url)
		at := time.Now()
		record := func(more string) error {
			at = at.Add(time.Millisecond) // makes the order of the records certain
			r := audit.New(t.Context(), at, audit.Broker, audit.BrokerStart, "", "")
			return s.change(t.Context(), "record", func(ctx context.Context, tx *sql.Tx) error {
				err := s.record(ctx, tx, r)
				if err == nil && more != "" {
					_, err = tx.ExecContext(ctx, more)
				}
				return err
			})
		}
		if err := errors.Join(record(""), record("")); err != nil {
			t.Fatal(err)
		}
		if err := record("INSERT INTO promised (n) VALUES (99)"); err == nil {
			t.Fatal("the commit did not fail")
		}
		if err := record(""); err != nil {
			t.Fatal(err)
		}
		list, err := s.Records(t.Context(), audit.Filter{}, audit.Cursor{}, 10)
		if err != nil || len(list) != 3 || list[0].Seq != 1 || list[0].Writer == list[1].Writer || list[1].Writer != list[2].Writer {
			t.Errorf("got %v %v", list, err)
		}
		trail := audit.Service{Store: s, Chains: s, Box: s.box}
		report, err := trail.Verify(t.Context(), func(b audit.Break) { t.Error(b) })
		if err != nil || report.Records != 3 || report.Writers != 2 {
			t.Errorf("got %+v %v", report, err)
		}
	})
}

func TestConcurrentTransactionsUseSeparateChains(t *testing.T) {
	t.Parallel()
	s := openDeferred(t, services.Postgres(t))
	const many = 8
	recorded, proceed, done := make(chan bool, many), make(chan bool), make(chan error, many)
	for range many {
		go func() {
			done <- s.change(t.Context(), "record", func(ctx context.Context, tx *sql.Tx) error {
				err := s.record(ctx, tx, audit.New(ctx, time.Now(), audit.Broker, audit.BrokerStart, "", ""))
				recorded <- true
				<-proceed
				return err
			})
		}()
	}
	for range many { // all records are written before the first commit
		<-recorded
	}
	close(proceed)
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	// Sequential changes need only one chain.
	for range many {
		r := audit.New(t.Context(), time.Now(), audit.Broker, audit.BrokerStart, "", "")
		if err := s.Append(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	heads, err := s.Heads(t.Context(), 0, 100)
	if err != nil || len(heads) != many {
		t.Errorf("%d chains, %v", len(heads), err)
	}
}
