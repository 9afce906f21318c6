package store_test

import (
	"context"
	"errors"
	"strings"
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
	change := func() error {
		_, err := alter(t.Context(), db, access.Change{Kind: access.RevokeAll}, time.Now())
		return err
	}
	var all sync.WaitGroup
	for range 30 { // more than there are connections
		all.Go(func() {
			if err := change(); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("when the server begins to hang: got %v, want ErrUnavailable before the time is up", err)
			}
		})
	}
	all.Wait()
	if err := change(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "the server hangs") {
		t.Errorf("while the server hangs: got %v, want ErrUnavailable because it hangs", err)
	}
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

func TestStatementThatWaitsForALockIsNotGivenUp(t *testing.T) {
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
