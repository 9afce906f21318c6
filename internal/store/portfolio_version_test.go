package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// unversioned are the columns of portfolios that no change of a portfolio changes alone, and
// those that no answer about one portfolio shows.
var unversioned = []string{
	"id", "subject", "fingerprint", "cas_type", "period_from", "period_to", "total_value", "received_rows", "stored_rows", "findings", "saved_ms",
	"transactions", "accounts", "account_details", // these are written with the private fields, or sealed again as they are
	"pan_marks", "observed_ms",
}

// TestEachChangeOfAPortfolioChangesItsVersion changes the columns of the table one by one.
func TestEachChangeOfAPortfolioChangesItsVersion(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, address string) {
		s, db := storetest.Open(t, address, storetest.NewBox(t)), storetest.SQL(t, address)
		id := save(t, s, "demo:asha", named("Fund", "2026-03-31")).PortfolioID
		before := versionOf(t, s, id)
		for _, column := range store.InsertColumns()["portfolios"] { // another test ties them to those of the table
			if slices.Contains(unversioned, column) {
				continue
			}
			value := map[string]string{
				"provenance": `'verified'`, "owner": `owner + 1`, "active": `1 - active`, "differs": `1 - differs`, "of_other": `1 - of_other`,
				"private": `(SELECT sealed FROM payloads WHERE portfolio = id)`,
			}[column]
			if value == "" {
				t.Errorf("column %s is new: the version must have it, unless it changes only with others", column)
				continue
			}
			if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`UPDATE portfolios SET %s = %s`, column, value)); err != nil {
				t.Fatal(err)
			}
			after := versionOf(t, s, id)
			if after == before {
				t.Errorf("after another %s: got the same version %q", column, after)
			}
			before = after
		}
	})
}

// versionOf returns the version of the only portfolio of demo:asha, and fails the test unless
// all reads agree on it.
func versionOf(t *testing.T, s *store.DB, id string) string {
	t.Helper()
	version, err := s.PortfolioVersion(t.Context(), "demo:asha", id)
	if err != nil {
		t.Fatal(err)
	}
	latest, err := s.LatestVersion(t.Context(), "demo:asha")
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := s.Portfolio(t.Context(), "demo:asha", id, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := s.Latest(t.Context(), "demo:asha")
	if err != nil {
		t.Fatal(err)
	}
	if latest != version || p.Version != version || l.Version != version {
		t.Errorf("got the versions %q, %q and %q, want %q", latest, p.Version, l.Version, version)
	}
	return version
}

func TestVersionOfAnotherUsersPortfolioIsNotRead(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		id := save(t, s, "demo:asha", named("Fund", "2026-03-31")).PortfolioID
		if got, err := s.PortfolioVersion(t.Context(), "demo:bina", id); err != portfolio.ErrNotFound { //nolint:errorlint // the fault itself
			t.Errorf("got %q, %v, want %v", got, err, portfolio.ErrNotFound)
		}
		if got, err := s.LatestVersion(t.Context(), "demo:bina"); err != portfolio.ErrNotFound { //nolint:errorlint // the fault itself
			t.Errorf("got %q, %v, want %v", got, err, portfolio.ErrNotFound)
		}
	})
}

// TestLatestPortfolioIsFoundByItsIndex holds the time of a read independent of the number of a
// user's statements.
func TestLatestPortfolioIsFoundByItsIndex(t *testing.T) {
	t.Parallel()
	address := storetest.SQLite(t)
	s, db := storetest.Open(t, address, storetest.NewBox(t)), storetest.SQL(t, address)
	save(t, s, "demo:asha", named("Fund", "2026-03-31"))
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+store.LatestVersionQuery, "demo:asha")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(plan, "\n"); strings.Count(got, "portfolios_latest") != 2 || strings.Count(got, "TEMP B-TREE") != 1 {
		t.Errorf("got the plan\n%s\nwant the index portfolios_latest twice, and a sort of the owners only", got)
	}
}
