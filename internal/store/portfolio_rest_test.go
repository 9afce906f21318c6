package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// eachWithRows is storetest.Each for tests that count the rows of tables.
func eachWithRows(t *testing.T, test func(t *testing.T, s *store.DB, rows func(table string) int)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		db := storetest.SQL(t, url)
		test(t, storetest.Open(t, url, storetest.NewBox(t)), func(table string) int {
			t.Helper()
			var n int
			if err := db.QueryRowContext(context.Background(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		})
	})
}

func TestChangeAndItsAuditRecordAreAtomic(t *testing.T) {
	t.Parallel()
	tables := []string{"portfolios", "payloads", "packed_holdings", "packed_transactions", "audit"}
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		expect := func(when string, want ...int) {
			t.Helper()
			for i, table := range tables {
				if got := rows(table); got != want[i] {
					t.Errorf("%s: %d rows in %s, want %d", when, got, table, want[i])
				}
			}
		}
		broken := saving(t, "demo:asha", named("Fund", "2026-03-31"))
		broken.Render = func(portfolio.Portfolio, bool) ([]byte, error) { return nil, errors.New("no answer") }
		if _, err := s.SavePortfolio(t.Context(), broken); err == nil {
			t.Error("got nil, want an error")
		}
		expect("after a failure", 0, 0, 0, 0, 0)
		a := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		expect("saved", 1, 1, 1, 1, 1)
		save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		expect("saved again", 1, 1, 1, 1, 1)
		foreign := audit.New(t.Context(), savedAt, "demo:ravi", audit.PortfolioDelete, "demo:ravi", a.PortfolioID)
		_ = s.DeletePortfolio(t.Context(), "demo:ravi", a.PortfolioID, foreign)
		expect("not deleted by another", 1, 1, 1, 1, 1)
		own := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", a.PortfolioID)
		if err := s.DeletePortfolio(t.Context(), "demo:asha", a.PortfolioID, own); err != nil {
			t.Fatal(err)
		}
		expect("deleted", 0, 0, 0, 0, 2)
	})
}

func TestPersonalDataIsNotReadableOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := storetest.Open(t, "sqlite:"+filepath.Join(folder, "broker.db"), storetest.NewBox(t))
	c := claim("my-own-key", "body", 0)
	mustClaim(t, s, c)
	payload := string(ledgers(1))
	payload = strings.Replace(payload, `{"meta"`, `{"BBBPZ8888B":{"value":5},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"meta"`, 1)
	payload = strings.Replace(payload, `"Fund 0","units":1,"value":10`, `"Rare Name","isin":"INF204K01562","units":4711.815,"value":5599887.75`, 1)
	one := saving(t, "demo:asha", []byte(payload))
	one.Claim = &c
	one.Record.ID = id.New("au")
	one.Render = func(p portfolio.Portfolio, _ bool) ([]byte, error) { return []byte(p.Investor.Name), nil }
	if _, err := s.SavePortfolio(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	disk := onDisk(t, folder)
	if !bytes.Contains(disk, []byte("CAMS_KFINTECH")) {
		t.Fatal("the search does not find unencrypted data")
	}
	for _, secret := range []string{
		"Asha Example", "AAAPZ9999A", "BBBPZ8888B", "XXXXXX999A", "123/45", "folio_number", "my-own-key",
		"Rare Name", "INF204K01562", "4711.815", "5599887.75", "12345678901234567890", "REDEMPTION",
	} {
		if bytes.Contains(disk, []byte(secret)) {
			t.Errorf("%s is readable", secret)
		}
	}
	if p, _, err := s.Portfolio(t.Context(), "demo:asha", one.Portfolio.ID, 0, all); err != nil || p.Investor.Name != "Asha Example" ||
		!p.SavedAt.Equal(savedAt.Truncate(time.Millisecond)) {
		t.Errorf("read %+v, %v", p, err)
	}
}

// onDisk returns the contents of all files in folder.
func onDisk(t *testing.T, folder string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var disk []byte
	for _, file := range files {
		b, err := os.ReadFile(file) //nolint:gosec // the test's own folder
		if err != nil {
			t.Fatal(err)
		}
		disk = append(disk, b...)
	}
	return disk
}

func TestErasedDataIsNoLongerOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	url := "sqlite:" + filepath.Join(folder, "broker.db")
	s := storetest.Open(t, url, storetest.NewBox(t))
	erased := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
	kept := save(t, s, "demo:ravi", named("Fund", "2026-03-31"))
	db := storetest.SQL(t, url)
	var values [][]byte
	for _, a := range []portfolio.SaveResult{erased, kept} {
		for _, table := range []string{"payloads", "packed_holdings", "packed_transactions"} {
			var value []byte
			if err := db.QueryRowContext(t.Context(), `SELECT sealed FROM `+table+` WHERE portfolio = $1`, a.PortfolioID).Scan(&value); err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(onDisk(t, folder), value) {
				t.Fatalf("the search does not find the value in %s", table)
			}
			values = append(values, value)
		}
	}
	r := audit.New(t.Context(), savedAt, "demo:asha", audit.DataErase, "demo:asha", "")
	if _, err := s.Erase(t.Context(), "demo:asha", r); err != nil {
		t.Fatal(err)
	}
	disk := onDisk(t, folder)
	for i, value := range values {
		if got, want := bytes.Contains(disk, value), i >= 3; got != want {
			t.Errorf("value %d is in the files: %t, want %t", i, got, want)
		}
	}
}
