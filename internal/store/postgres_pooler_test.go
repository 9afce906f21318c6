package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// poolSize is how many connections each replica may have: in session mode, all replicas
// together no more than the recipe gives.
const poolSize = 6

// behindPgBouncer runs test with the URL of a database, and the one by way of PgBouncer, with the recipe of
// the documents and with the other mode that they name.
func behindPgBouncer(t *testing.T, database func(testing.TB) string, test func(t *testing.T, direct, pooled string)) {
	t.Helper()
	recipe := pgBouncerRecipe(t)
	const line = "pool_mode = transaction"
	if !strings.Contains(recipe, line) {
		t.Fatalf("the recipe has no line %q", line)
	}
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			settings := strings.Replace(recipe, line, "pool_mode = "+mode, 1)
			direct := database(t)
			test(t, direct, services.PgBouncer(t, direct, settings))
		})
	}
}

// pgBouncerRecipe returns the settings that the documents recommend.
func pgBouncerRecipe(t *testing.T) string {
	t.Helper()
	recipe, err := os.ReadFile("../../config/pgbouncer.ini")
	if err != nil {
		t.Fatal(err)
	}
	return string(recipe)
}

func TestThreeReplicasShareAnEmptyDatabaseBehindPgBouncer(t *testing.T) {
	t.Parallel()
	behindPgBouncer(t, services.Postgres, func(t *testing.T, direct, pooled string) {
		box := storetest.NewBox(t)
		var all errgroup.Group
		for i := range 3 {
			all.Go(func() error {
				db, err := store.Open(store.Options{URL: secret.URL(pooled), Box: box, MaxConns: poolSize})
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = db.Close() })
				if _, err := db.Migrate(t.Context()); err != nil {
					return err
				}
				return useConcurrently(t.Context(), db, i)
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		assertNothingLeftBehind(t, direct)
		// 3 replicas made 8 changes each; none was lost or made twice.
		db := storetest.Open(t, direct, box)
		if version, err := db.AccessVersion(t.Context()); version != 24 || err != nil {
			t.Errorf("got version %d, %v; want 24 and no error", version, err)
		}
	})
}

// useConcurrently blocks and reads with more goroutines than the pool has connections.
func useConcurrently(ctx context.Context, db *store.DB, replica int) error {
	var all errgroup.Group
	for i := range 8 {
		all.Go(func() error {
			now := time.Now()
			subject := fmt.Sprintf("app:%d-%d", replica, i)
			if err := blockUser(ctx, db, subject); err != nil {
				return err
			}
			for range 20 {
				block, err := db.ActiveBlock(ctx, subject, now)
				if err != nil || block == nil || block.Reason != "x" {
					return fmt.Errorf("read %+v, %w", block, err)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// assertNothingLeftBehind fails if the sessions of the database hold a lock.
func assertNothingLeftBehind(t *testing.T, url string) {
	t.Helper()
	var locks int
	err := storetest.SQL(t, url).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&locks)
	if locks != 0 || err != nil {
		t.Errorf("got %d advisory locks after all transactions, %v; want 0", locks, err)
	}
}
