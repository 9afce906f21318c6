package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// owned returns a payload from issuer for the person with pan, whose period ends at to.
func owned(issuer statement.CASType, pan, to string) []byte {
	return fmt.Appendf(nil, `{"meta":{"cas_type":%q,"statement_period":{"from":"2020-01-01","to":%q}},
		"investor":{"name":"Asha Example","pan":%q},
		"mutual_funds":[{"folio_number":"123/45","amc":"Sample AMC","schemes":[{"name":"Fund","units":"1.50","value":10}]}]}`, issuer, to, pan)
}

// saveLater saves payload for asha, this long after savedAt.
func saveLater(t *testing.T, s *store.DB, after time.Duration, payload []byte) portfolio.Portfolio {
	t.Helper()
	one := saving(t, "demo:asha", payload)
	one.Portfolio.SavedAt = savedAt.Add(after)
	var kept portfolio.Portfolio
	one.Render = func(p portfolio.Portfolio, _ bool) ([]byte, error) { kept = p; return []byte("{}"), nil }
	if _, err := s.SavePortfolio(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	return kept
}

// actives returns the ids of asha's active portfolios by owner.
func actives(t *testing.T, s *store.DB) map[int]string {
	t.Helper()
	list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
	if err != nil {
		t.Fatal(err)
	}
	active := map[int]string{}
	for _, p := range list {
		if p.Active && active[p.Owner] != "" {
			t.Errorf("owner %d has two active portfolios", p.Owner)
		}
		if p.Active {
			active[p.Owner] = p.ID
		}
	}
	only, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all, ActiveOnly: true})
	if err != nil || len(only) != len(active) {
		t.Errorf("%d are listed as active, not %d: %v", len(only), len(active), err)
	}
	return active
}

func remove(t *testing.T, s *store.DB, id string) {
	t.Helper()
	record := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", id)
	if err := s.DeletePortfolio(t.Context(), "demo:asha", id, record); err != nil {
		t.Fatal(err)
	}
}

func TestBestStatementIsActiveAndDeletingItActivatesTheNext(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		// From the worst to the best, saved in another order.
		funds := saveLater(t, s, 0, owned(statement.CAMSKFintech, "AAAPZ9999A", "2026-01-31"))
		newest := saveLater(t, s, time.Hour, owned(statement.NSDL, "AAAPZ9999A", "2025-12-31"))
		laterFunds := saveLater(t, s, 2*time.Hour, owned(statement.CAMSKFintech, "AAAPZ9999A", "2026-02-28"))
		older := saveLater(t, s, 3*time.Hour, owned(statement.CDSL, "AAAPZ9999A", "2025-11-30"))
		for i, p := range []portfolio.Portfolio{funds, newest, laterFunds, older} {
			if want := i < 2; p.Active != want || p.Owner != 1 {
				t.Errorf("statement %d: when saved, active is %t and the owner %d", i, p.Active, p.Owner)
			}
		}
		for _, next := range []portfolio.Portfolio{newest, older, laterFunds, funds} {
			if got := actives(t, s); len(got) != 1 || got[1] != next.ID {
				t.Fatalf("active are %v, want %s", got, next.ID)
			}
			remove(t, s, next.ID)
		}
		if got := actives(t, s); len(got) != 0 {
			t.Errorf("active are %v", got)
		}
	})
}

func TestDeletingAnInactivePortfolioActivatesNone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		older := saveLater(t, s, 0, owned(statement.CDSL, "AAAPZ9999A", "2026-01-31"))
		saveLater(t, s, time.Hour, owned(statement.CDSL, "AAAPZ9999A", "2026-02-28"))
		newest := saveLater(t, s, 2*time.Hour, owned(statement.CDSL, "AAAPZ9999A", "2026-03-31"))
		remove(t, s, older.ID)
		if got := actives(t, s); len(got) != 1 || got[1] != newest.ID {
			t.Errorf("active are %v", got)
		}
	})
}

func TestStatementOfAnotherPersonGetsItsOwnOwner(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for i, step := range []struct {
			pan   string
			owner int
			apart bool
		}{
			{"AAXXXXXX9A", 1, false}, // masked
			{"AAAPZ9999A", 1, false},
			{"BBBPZ8888B", 2, true},
			{"", 1, false},
			{"XXXXXXXX8B", 2, true},
			{"CCCPZ7777C", 3, true},
			{"AAAPZ9999B", 4, true},
		} {
			to := savedAt.AddDate(0, -i, 0).Format(time.DateOnly)
			p := saveLater(t, s, time.Duration(i)*time.Hour, owned(statement.CDSL, step.pan, to))
			read, _, err := s.Portfolio(t.Context(), "demo:asha", p.ID, 0, all)
			if err != nil {
				t.Fatal(err)
			}
			for how, p := range map[string]portfolio.Portfolio{"answered": p, "read": read} {
				warned := false
				for _, w := range p.Warnings {
					warned = warned || w == portfolio.OtherOwner
				}
				if p.Owner != step.owner || warned != step.apart {
					t.Errorf("step %d, %s: owner %d, warned %t", i, how, p.Owner, warned)
				}
			}
		}
		if got := actives(t, s); len(got) != 4 {
			t.Errorf("active are %v", got)
		}
	})
}

func TestStatementOfAnotherPersonIsRefusedIfConfigured(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		mustSave := func(payload []byte) {
			t.Helper()
			one := saving(t, "demo:asha", payload)
			one.RefuseOther = true
			if _, err := s.SavePortfolio(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
		mustSave(owned(statement.CDSL, "AAAPZ9999A", "2026-03-31"))
		one := saving(t, "demo:asha", owned(statement.CDSL, "BBBPZ8888B", "2026-03-31"))
		one.RefuseOther = true
		if a, err := s.SavePortfolio(t.Context(), one); !errors.Is(err, portfolio.ErrOtherOwner) || a.PortfolioID != "" {
			t.Errorf("answered %+v, %v", a, err)
		}
		for _, table := range []string{"portfolios", "payloads", "packed_holdings", "packed_transactions", "audit"} {
			if n := rows(table); n != 1 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
		mustSave(owned(statement.CDSL, "AAAPZ9999A", "2026-02-28"))
		if other := save(t, s, "demo:ravi", owned(statement.CDSL, "BBBPZ8888B", "2026-03-31")); !other.Created {
			t.Error("another user could not save it")
		}
	})
}

func TestRepeatedSaveReturnsTheCurrentState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		older := owned(statement.CDSL, "BBBPZ8888B", "2026-01-31")
		saveLater(t, s, 0, owned(statement.CDSL, "AAAPZ9999A", "2026-01-31"))
		first := saveLater(t, s, time.Hour, older)
		saveLater(t, s, 2*time.Hour, owned(statement.CDSL, "BBBPZ8888B", "2026-02-28"))
		again := saveLater(t, s, 3*time.Hour, older)
		if !first.Active || again.ID != first.ID || again.Active || again.Owner != 2 {
			t.Errorf("at first %+v, then %+v", first, again)
		}
	})
}

func TestConcurrentFirstSavesLeaveOneActive(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var wait sync.WaitGroup
		for day := 1; day <= 20; day++ {
			one := saving(t, "demo:asha", owned(statement.CDSL, "AAAPZ9999A", fmt.Sprintf("2026-01-%02d", day)))
			one.Render = func(p portfolio.Portfolio, _ bool) ([]byte, error) { return json.Marshal(p.Owner) }
			wait.Go(func() {
				if a, err := s.SavePortfolio(t.Context(), one); err != nil || string(a.Body) != "1" {
					t.Errorf("owner %s, %v", a.Body, err)
				}
			})
		}
		wait.Wait()
		id := actives(t, s)[1]
		if p, _, err := s.Portfolio(t.Context(), "demo:asha", id, 0, all); err != nil || p.Period.To != "2026-01-20" {
			t.Errorf("the active one is %+v, %v", p, err)
		}
	})
}

func TestConcurrentSavesAndDeletesLeaveOneActive(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for round := range 5 {
			var wait sync.WaitGroup
			first := saveLater(t, s, 0, owned(statement.CDSL, "AAAPZ9999A", fmt.Sprintf("2026-02-%02d", round+1)))
			wait.Go(func() { remove(t, s, first.ID) })
			for day := range 4 {
				one := saving(t, "demo:asha", owned(statement.CDSL, "AAAPZ9999A", fmt.Sprintf("2026-01-%02d", 4*round+day+1)))
				wait.Go(func() {
					if _, err := s.SavePortfolio(t.Context(), one); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if got := actives(t, s); len(got) != 1 {
				t.Fatalf("round %d: active are %v", round, got)
			}
		}
	})
}
