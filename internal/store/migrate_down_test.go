package store_test

import (
	"database/sql"
	"maps"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/token"
	"casbroker/internal/usage"
)

// everything puts rows into every table, and returns the payloads that reads wants.
func everything(t *testing.T, s *store.DB) map[string][]byte {
	t.Helper()
	payloads := fill(t, s, 0, 2)
	save(t, s, "demo:rohan", ledgers(3))
	g := token.Grant{
		ID: id.New("gr"), Subject: "demo:asha", Mode: token.ModeDirect, IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour), TokenHash: []byte("mark"),
	}
	if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, g.Subject, audit.TokenMint, g.Subject, g.ID)); err != nil {
		t.Fatal(err)
	}
	mustAlter(t, s, access.Change{Kind: access.Block, Subject: "demo:kabir"}, savedAt)
	if claimed, err := s.ClaimJob(t.Context(), "sweep", savedAt, savedAt.Add(time.Minute), savedAt.Add(time.Hour)); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	signIn(t, s, "one", savedAt)
	counts := []usage.Count{{Step: usage.Day, At: savedAt.Truncate(24 * time.Hour), Series: usage.Minted, N: 1}}
	if err := s.AddCounts(t.Context(), counts); err != nil {
		t.Fatal(err)
	}
	return payloads
}

// tables counts the rows of every table in the database at address.
func tables(t *testing.T, address string) map[string]int {
	t.Helper()
	driver, source, list := "pgx", address, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		driver, source, list = "sqlite", path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
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

// eachDown fills a new database of every kind, takes it back to version and forth again,
// and runs test on what was made of it.
func eachDown(t *testing.T, version int64, test func(t *testing.T, s *store.DB, payloads map[string][]byte, rows [3]map[string]int)) {
	t.Helper()
	for name, url := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, box := url(t), newBox(t)
			start := func() *store.DB {
				s, err := store.Open(store.Options{URL: secret.URL(address), Box: box})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			s := start()
			if _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			payloads := everything(t, s)
			rows := [3]map[string]int{tables(t, address)}
			for table, n := range rows[0] {
				if n == 0 {
					t.Errorf("%s is empty, so nothing is known of it", table)
				}
			}
			if err := s.MigrateDown(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			rows[1] = tables(t, address)
			s = start()
			if err := s.Ready(t.Context()); err == nil {
				t.Error("it is ready for use")
			}
			if n, err := s.Migrate(t.Context()); err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Error(err)
			}
			rows[2] = tables(t, address)
			test(t, s, payloads, rows)
		})
	}
}

func TestGoingBackOneVersionAndForthKeepsWhatIsOlder(t *testing.T) {
	t.Parallel()
	eachDown(t, 5, func(t *testing.T, s *store.DB, payloads map[string][]byte, rows [3]map[string]int) {
		kept := maps.Clone(rows[0])
		delete(kept, "sessions")
		delete(kept, "usage_counts")
		if !maps.Equal(rows[1], kept) {
			t.Errorf("left are %v, want %v", rows[1], kept)
		}
		kept["sessions"], kept["usage_counts"] = 0, 0
		if !maps.Equal(rows[2], kept) {
			t.Errorf("then there are %v, want %v", rows[2], kept)
		}
		reads(t, s, payloads)
		if got := names(t, s, "demo:", "", 10); strings.Join(got, " ") != "demo:asha demo:kabir demo:rohan" {
			t.Errorf("found %q", got)
		}
		if n, err := s.LiveGrants(t.Context(), savedAt); n != 1 || err != nil {
			t.Errorf("%d tokens are alive, %v", n, err)
		}
	})
}

func TestGoingBackToNothingAndForthMakesANewDatabase(t *testing.T) {
	t.Parallel()
	eachDown(t, 0, func(t *testing.T, s *store.DB, _ map[string][]byte, rows [3]map[string]int) {
		if len(rows[1]) != 0 {
			t.Errorf("left are %v", rows[1])
		}
		reads(t, s, everything(t, s))
		if version, err := s.AccessVersion(t.Context()); version != 1 || err != nil {
			t.Errorf("version %d, %v", version, err)
		}
	})
}
