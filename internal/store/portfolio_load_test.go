package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

func TestConcurrentSavesAreAllStoredOnce(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		const users, each = 32, 6
		var wait sync.WaitGroup
		for user := range users {
			subject := fmt.Sprint("app:", user)
			var saves []portfolio.SaveRequest
			for n := range each {
				saves = append(saves, saving(t, subject, named(fmt.Sprint("Fund ", n), "2026-03-31")))
			}
			wait.Go(func() {
				for _, one := range append(saves, saves[0]) {
					if _, err := s.SavePortfolio(t.Context(), one); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		for _, table := range []string{"portfolios", "payloads", "packed_holdings", "packed_transactions", "audit"} {
			if n := rows(table); n != users*each {
				t.Errorf("%d rows in %s, want %d", n, table, users*each)
			}
		}
		if n := rows("portfolios WHERE active = 1"); n != users {
			t.Errorf("%d are active", n)
		}
	})
}

func TestFailingSavesDoNotAffectConcurrentOnes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		refused := fault.New(fault.Conflict, "refused", "No.")
		var wait sync.WaitGroup
		for n := range 30 {
			subject := fmt.Sprint("app:", n)
			one := saving(t, subject, named("Fund", "2026-03-31"))
			render := one.Render
			one.Render = func(p portfolio.Portfolio, created bool) ([]byte, error) {
				switch n % 3 {
				case 1:
					return nil, refused
				case 2:
					panic("a mistake")
				}
				return render(p, created)
			}
			wait.Go(func() {
				_, err := s.SavePortfolio(t.Context(), one)
				if (err == nil) != (n%3 == 0) || errors.Is(err, refused) != (n%3 == 1) {
					t.Errorf("save %d: %v", n, err)
				}
				list, err := s.Portfolios(t.Context(), subject, portfolio.Query{Limit: all})
				if err != nil || (len(list) == 1) != (n%3 == 0) {
					t.Errorf("save %d is there as %v, %v", n, list, err)
				}
			})
		}
		wait.Wait()
	})
}

func TestDatabaseLostDuringASaveIsUnavailableAndStoresNothing(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	s := storetest.Open(t, at, storetest.NewBox(t))
	one := saving(t, "demo:asha", named("Fund", "2026-03-31"))
	render := one.Render
	one.Render = func(p portfolio.Portfolio, created bool) ([]byte, error) {
		services.RefuseConnections(t, at)
		return render(p, created)
	}
	_, err := s.SavePortfolio(t.Context(), one)
	var f *fault.Fault
	if !errors.Is(err, store.ErrUnavailable) || !errors.As(err, &f) || f.RetryAfter < time.Second {
		t.Errorf("got %v", err)
	}
	services.AllowConnections(t, at)
	if list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	one.Render = render
	if a, err := s.SavePortfolio(t.Context(), one); err != nil || !a.Created {
		t.Errorf("saved as %+v, %v", a, err)
	}
}

func TestConnectionLostDuringACommitReportsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	v := &keyring{url: storetest.Postgres(t), hash: secret.RandomKey(), keys: map[string]secret.Text{}}
	s := v.open(t, "k1")
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.change(t, `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'`)
	v.change(t, `CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON payloads DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()`)
	one := saving(t, "demo:asha", named("Fund", "2026-03-31"))
	_, err := s.SavePortfolio(t.Context(), one)
	var f *fault.Fault
	if !errors.Is(err, store.ErrUnavailable) || !errors.As(err, &f) || f.RetryAfter < time.Second ||
		!strings.Contains(f.Detail, "may or may not") || strings.Contains(f.Detail, "nothing") {
		t.Errorf("got %v", err)
	}
	v.change(t, `DROP TRIGGER cut ON payloads`)
	if _, err := s.SavePortfolio(t.Context(), one); err != nil {
		t.Errorf("saved again: %v", err)
	}
}
