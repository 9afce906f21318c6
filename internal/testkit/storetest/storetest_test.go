package storetest_test

import (
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestEachDatabaseIsReadyForUse(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v, want nil", err)
		}
	})
}

func TestSQLSeesTheTablesOfTheStore(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		storetest.Open(t, url, storetest.NewBox(t))
		var n int
		if err := storetest.SQL(t, url).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM grants").Scan(&n); err != nil || n != 0 {
			t.Errorf("counted %d grants, %v; want 0, nil", n, err)
		}
	})
}
