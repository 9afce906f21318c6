package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestReadDuringDeletesIsCompleteOrNotFound(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const readers, deletes, most = 4, 40, 2000
		var mu sync.Mutex
		var id string
		next := func(saved string) { mu.Lock(); id = saved; mu.Unlock() }
		latest := func() string { mu.Lock(); defer mu.Unlock(); return id }
		payload := bytes.Replace(ledgers(3, 2), []byte(`{"meta":{`), []byte(`{"meta":{"statement_period":{"from":"2026-01-01","to":"2026-01-31"},`), 1)
		next(save(t, s, "demo:asha", payload).PortfolioID)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var found sync.Map
		for range readers {
			all.Go(func() {
				for ctx.Err() == nil {
					for what, read := range readsOf(t.Context(), s, latest()) {
						n, err := read()
						switch {
						case err == nil && n.got == n.want:
							found.Store(what, true)
						case !errors.Is(err, portfolio.ErrNotFound):
							t.Errorf("%s: got %d rows, %v, want %d or not found", what, n.got, err, n.want)
						}
					}
				}
			})
		}
		missing := func() []string {
			var names []string
			for what := range readsOf(t.Context(), s, latest()) {
				if _, ok := found.Load(what); !ok {
					names = append(names, what)
				}
			}
			return names
		}
		for n := 0; n < deletes || n < most && len(missing()) > 0; n++ {
			r := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", latest())
			if err := s.DeletePortfolio(t.Context(), "demo:asha", latest(), r); err != nil {
				t.Error(err)
			}
			next(save(t, s, "demo:asha", payload).PortfolioID)
		}
		stop()
		all.Wait()
		if names := missing(); len(names) > 0 {
			t.Errorf("%q never found a portfolio", names)
		}
	})
}

type rowCount struct{ got, want int }

// readsOf returns all reads of the rows of a portfolio with two holdings and five
// transactions.
func readsOf(ctx context.Context, s *store.DB, id string) map[string]func() (rowCount, error) {
	return map[string]func() (rowCount, error){
		"Portfolio": func() (rowCount, error) {
			_, rows, err := s.Portfolio(ctx, "demo:asha", id, 0, all)
			return rowCount{len(rows), 2}, err
		},
		"Latest": func() (rowCount, error) {
			_, rows, err := s.Latest(ctx, "demo:asha")
			return rowCount{len(rows), 2}, err
		},
		"Transactions": func() (rowCount, error) {
			rows, err := s.Transactions(ctx, "demo:asha", id, portfolio.AllHoldings, 0, all)
			return rowCount{len(rows), 5}, err
		},
		"Rows": func() (rowCount, error) {
			rows, err := s.Rows(ctx, "demo:asha", []string{id})
			if err == nil && len(rows) == 0 {
				err = portfolio.ErrNotFound
			}
			return rowCount{len(rows[id].Holdings), 2}, err
		},
		"Copy": func() (rowCount, error) {
			c, err := s.Copy(ctx, "demo:asha", id)
			n := rowCount{len(c.Holdings), 7}
			if err == nil {
				err = c.Transactions(0, func(*statement.Transaction) bool { n.got++; return true })
			}
			if err == nil && len(c.Payload) == 0 {
				err = fmt.Errorf("%s has no payload", id)
			}
			return n, err
		},
	}
}
