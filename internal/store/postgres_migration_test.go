package store_test

import (
	"context"
	"testing"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func TestMigrationMayTakeLongerThanAStatement(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	for _, c := range []struct{ pooler, options, usual, migrating string }{
		{store.PoolerAuto, "", "30s", "0"},
		{store.PoolerTransaction, "", "30s", "0"},
		{store.PoolerAuto, "&statement_timeout=45s", "45s", "45s"},
	} {
		db, err := store.Open(store.Options{URL: secret.URL(url + c.options), Box: storetest.NewBox(t), Pooler: c.pooler})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		limit := func() string {
			t.Helper()
			got, err := db.StatementTimeout(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		before := limit()
		end := db.BeginMigration()
		during := limit()
		end()
		if after := limit(); before != c.usual || during != c.migrating || after != c.usual {
			t.Errorf("%s%s: got %s, %s in a migration and %s after it, want %s and %s", c.pooler, c.options, before, during, after, c.usual, c.migrating)
		}
	}
}

func TestMigrationDoesNotWaitForItsOwnSnapshot(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	_, err := storetest.SQL(t, url).ExecContext(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := openUnmigrated(t, url, storetest.NewBox(t)).Migrate(ctx); err != nil {
		t.Error(err)
	}
}
