package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func TestHangingServerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	link, url := services.NewLink(t, storetest.Postgres(t))
	db := storetest.Open(t, url, storetest.NewBox(t))
	mustAlter(t, db, access.Change{Kind: access.RevokeAll}, time.Now())
	link.Swallow()
	fails := func(what string, atMost time.Duration) {
		began := time.Now()
		_, err := alter(t.Context(), db, access.Change{Kind: access.RevokeAll}, began)
		if took := time.Since(began); !errors.Is(err, store.ErrUnavailable) || took > atMost {
			t.Errorf("%s: got %v after %s, want ErrUnavailable within %s", what, err, took, atMost)
		}
	}
	var all sync.WaitGroup
	for range 30 { // more than there are connections
		all.Go(func() { fails("when the server begins to hang", 2500*time.Millisecond) })
	}
	all.Wait()
	fails("while the server hangs", 100*time.Millisecond)
	if err := db.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ready: got %v, want ErrUnavailable", err)
	}
	link.Restore()
	for _, err := db.AccessVersion(t.Context()); err != nil; _, err = db.AccessVersion(t.Context()) {
		if t.Context().Err() != nil {
			t.Fatalf("after the server answers: got %v", err)
		}
	}
}

func TestLongStatementIsNoHangingServer(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, direct := storetest.Open(t, url, storetest.NewBox(t)), storetest.SQL(t, url)
	locked, err := direct.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.ExecContext(t.Context(), `LOCK TABLE blocks IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2500*time.Millisecond, func() { _ = locked.Rollback() })
	if _, err := db.ActiveBlock(t.Context(), "app:nobody", time.Now()); err != nil {
		t.Errorf("a statement of more than two seconds: got %v", err)
	}
}
