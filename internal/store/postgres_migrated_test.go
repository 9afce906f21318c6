package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestMigrationUnderLoadFailsNoCall(t *testing.T) {
	t.Parallel()
	url, box := storetest.Postgres(t), storetest.NewBox(t)
	direct := storetest.SQL(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var calls errgroup.Group
	var warm sync.WaitGroup
	var stop atomic.Bool
	for replica := range 2 {
		db := storetest.Open(t, url, box)
		for worker := range 4 {
			warm.Add(1)
			calls.Go(func() error {
				for n := 0; !stop.Load() && ctx.Err() == nil; n++ {
					err := useOnce(ctx, db, fmt.Sprintf("app:u%d-%d-%d", replica, worker, n))
					if n == 5 || err != nil && n < 5 {
						warm.Done() // its connections have prepared their statements
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	warm.Wait()
	for _, statement := range []string{ // as migrations of later releases may do
		`ALTER TABLE blocks ALTER COLUMN until_ms TYPE NUMERIC`,
		`ALTER TABLE access_state ALTER COLUMN version TYPE NUMERIC`,
		`ALTER TABLE access_changes ALTER COLUMN version TYPE NUMERIC`,
	} {
		if _, err := direct.ExecContext(ctx, statement); err != nil {
			t.Error(err)
		}
	}
	time.AfterFunc(300*time.Millisecond, func() { stop.Store(true) })
	if err := calls.Wait(); err != nil {
		t.Errorf("a call during the migration: %v", err)
	}
}

// useOnce blocks a user, reads that and lifts the block.
func useOnce(ctx context.Context, db *store.DB, subject string) error {
	for _, c := range []access.Change{
		{Kind: access.Block, Subject: subject, Reason: "stolen", Until: time.Now().Add(time.Hour)},
		{Kind: access.Unblock, Subject: subject},
	} {
		if _, err := alter(ctx, db, c, time.Now()); err != nil {
			return err
		}
		if _, err := db.ActiveBlock(ctx, subject, time.Now()); err != nil {
			return err
		}
		if _, err := db.AccessVersion(ctx); err != nil {
			return err
		}
	}
	return nil
}
