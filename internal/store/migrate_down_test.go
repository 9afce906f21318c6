package store_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/gateway"
	"casbroker/internal/id"
	"casbroker/internal/link"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
	"casbroker/internal/usage"
	"casbroker/internal/webhook"
)

// everything inserts rows into every table, and returns the payloads for reads.
func everything(t *testing.T, s *store.DB) map[string][]byte {
	t.Helper()
	payloads := fill(t, s, 0, 2)
	save(t, s, "demo:rohan", ledgers(3))
	g := token.Grant{
		ID: id.New("gr"), Subject: "demo:asha", Mode: token.ModeDirect, IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour), TokenHash: []byte("hash"),
	}
	if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, g.ID)); err != nil {
		t.Fatal(err)
	}
	mustAlter(t, s, access.Change{Kind: access.Block, Subject: "demo:kabir"}, savedAt)
	if claimed, err := s.ClaimJob(t.Context(), "sweep", savedAt, savedAt.Add(time.Minute), savedAt.Add(time.Hour)); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	signIn(t, s, "one", savedAt)
	own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
	counts := []usage.Count{{Step: usage.Day, At: savedAt.Truncate(24 * time.Hour), Series: usage.Minted, N: 1}}
	if err := s.AddCounts(t.Context(), counts); err != nil {
		t.Fatal(err)
	}
	if err := s.SyncEndpoints(t.Context(), []webhook.Filter{{Name: "app"}}, savedAt); err != nil {
		t.Fatal(err)
	}
	spend(t, s)
	l := addLink(t, s, "demo:asha", link.Once)
	if err := s.AddLinkGrant(t.Context(), mustOpenLink(t, s, l, "one"), g.ID, savedAt); err != nil {
		t.Fatal(err)
	}
	number(t, s)
	return payloads
}

// insertUnpacked inserts rows into the tables that are out of use.
func insertUnpacked(t *testing.T, url string) {
	t.Helper()
	for _, insert := range []string{ // an earlier release did
		`INSERT INTO holdings (portfolio, seq, class, isin, name, account, institution, category) SELECT id, 0, '', '', '', 0, '', '' FROM portfolios`,
		`INSERT INTO transactions (portfolio, seq, holding, date, type) SELECT id, 0, 0, '', '' FROM portfolios`,
	} {
		if _, err := storetest.SQL(t, url).ExecContext(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
	}
}

// tables counts the rows of every table in the database at url.
func tables(t *testing.T, url string) map[string]int {
	t.Helper()
	list := "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	if strings.HasPrefix(url, "sqlite:") {
		list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	db := storetest.SQL(t, url)
	rows, err := db.QueryContext(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string]int{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		found[name] = 0
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	delete(found, "goose_db_version")
	for name := range found {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		found[name] = n
	}
	return found
}

// eachDown fills a new database of each dialect, migrates it down to version and up again,
// and runs test on the result. rows are the counts before, in between and after.
func eachDown(t *testing.T, version int64, test func(t *testing.T, s *store.DB, payloads map[string][]byte, rows [3]map[string]int)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		s := storetest.Open(t, url, box)
		payloads := everything(t, s)
		insertUnpacked(t, url)
		rows := [3]map[string]int{tables(t, url)}
		for table, n := range rows[0] {
			if n == 0 {
				t.Errorf("%s is empty, so the test does not cover it", table)
			}
		}
		if err := s.MigrateDown(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		rows[1] = tables(t, url)
		s = openUnmigrated(t, url, box)
		if err := s.Ready(t.Context()); err == nil {
			t.Error("it is ready after the migration down")
		}
		if n, err := s.Migrate(t.Context()); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		rows[2] = tables(t, url)
		test(t, s, payloads, rows)
	})
}

func TestMigratingDownOneVersionAndUpKeepsOlderData(t *testing.T) {
	t.Parallel()
	eachDown(t, 5, func(t *testing.T, s *store.DB, payloads map[string][]byte, rows [3]map[string]int) {
		kept := maps.Clone(rows[0])
		newer := []string{
			"sessions", "usage_counts", "captures", "vendor_resources", "mailbox_connections", "mailboxes", "mail_files",
			"gateway_calls", "call_totals", "budget_counters", "budgets_reached", "budget_raises", "usage_comparisons", "events",
			"webhook_endpoints", "webhook_deliveries", "webhook_queues", "statement_jobs", "packed_holdings", "packed_transactions",
			"mail_consents", "owners", "links", "link_sessions", "link_grants",
		}
		delete(kept, "event_state")
		delete(kept, "audit_unchained")
		for _, table := range newer {
			delete(kept, table)
		}
		if !maps.Equal(rows[1], kept) {
			t.Errorf("after the migration down: %v, want %v", rows[1], kept)
		}
		for _, table := range newer {
			kept[table] = 0
		}
		kept["event_state"], kept["audit_unchained"] = 1, 1
		if !maps.Equal(rows[2], kept) {
			t.Errorf("after the migration up: %v, want %v", rows[2], kept)
		}
		for id := range payloads { // the captures are gone
			capture(t, s, "demo:asha", payloads[id])
		}
		reads(t, s, payloads)
		if got := names(t, s, "demo:", "", 10); strings.Join(got, " ") != "demo:asha demo:blocked-0 demo:blocked-1 demo:kabir demo:rohan" {
			t.Errorf("found %q", got)
		}
		if n, err := s.LiveGrants(t.Context(), savedAt); n != 1 || err != nil {
			t.Errorf("%d tokens are active, %v", n, err)
		}
	})
}

func TestMigratingDownToNothingAndUpMakesANewDatabase(t *testing.T) {
	t.Parallel()
	eachDown(t, 0, func(t *testing.T, s *store.DB, _ map[string][]byte, rows [3]map[string]int) {
		if len(rows[1]) != 0 {
			t.Errorf("remaining tables: %v", rows[1])
		}
		reads(t, s, everything(t, s))
		if version, err := s.AccessVersion(t.Context()); version != 3 || err != nil {
			t.Errorf("version %d, %v", version, err)
		}
	})
}
