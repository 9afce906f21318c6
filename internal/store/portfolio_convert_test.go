package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/logtest"
	"casbroker/internal/testkit/storetest"
)

// earlier makes the portfolios with ids what a release without packed rows saved.
func earlier(t *testing.T, url string, box *secret.Box, ids ...string) {
	t.Helper()
	db := storetest.SQL(t, url)
	for _, id := range ids {
		private := box.Seal("portfolio/"+id+"/private",
			[]byte(`{"name":"Asha Example","pan_masked":"XXXXXX999A","accounts":["123/45"],"rejected":[],"warnings":[]}`))
		for _, change := range []struct {
			query string
			args  []any
		}{
			{`DELETE FROM packed_holdings WHERE portfolio = $1`, []any{id}},
			{`DELETE FROM packed_transactions WHERE portfolio = $1`, []any{id}},
			{`INSERT INTO holdings (portfolio, seq, class, isin, name, account, institution, category) VALUES ($1, 0, 'mutual_fund', '', 'Fund', 0, '', '')`, []any{id}},
			{`INSERT INTO transactions (portfolio, seq, holding, date, type) VALUES ($1, 0, 0, '', '')`, []any{id}},
			{`DELETE FROM owners WHERE subject = (SELECT subject FROM portfolios WHERE id = $1)`, []any{id}},
			{
				`UPDATE portfolios SET total_value = '10', accounts = NULL, account_details = NULL, private = $2, fingerprint = $3 WHERE id = $1`,
				[]any{id, private, []byte("earlier " + id)},
			},
		} {
			if _, err := db.ExecContext(t.Context(), change.query, change.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readEverything returns all that can be read of a portfolio, as text.
func readEverything(t *testing.T, s *store.DB, id string) string {
	t.Helper()
	ctx := t.Context()
	c, err := s.Copy(ctx, "demo:asha", id)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s %v %s %s %s %d %d %t\n%+v\n%s\n", c.ID, c.SavedAt, c.Provenance, c.TotalValue, c.Investor.Name, c.StoredRows, c.TransactionCount, c.Active, c.Holdings, c.Payload)
	if err := c.Transactions(0, func(x *statement.Transaction) bool { text += fmt.Sprintf("%+v\n", *x); return true }); err != nil {
		t.Fatal(err)
	}
	_, holdings, err := s.Portfolio(ctx, "demo:asha", id, 0, all)
	if err != nil || fmt.Sprint(holdings) != fmt.Sprint(c.Holdings) {
		t.Errorf("read %v, %v", holdings, err)
	}
	rows, err := s.Rows(ctx, "demo:asha", []string{id})
	if err != nil || fmt.Sprint(rows[id].Holdings) != fmt.Sprint(c.Holdings) || len(rows[id].Accounts) == 0 {
		t.Errorf("read %+v, %v", rows, err)
	}
	list, err := s.Transactions(ctx, "demo:asha", id, portfolio.AllHoldings, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return text + fmt.Sprintf("%+v", list)
}

func convertAll(t *testing.T, s *store.DB) portfolio.Conversion {
	t.Helper()
	done, err := s.ConvertPortfolios(t.Context(), "", all, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// eachEarlier is storetest.EachURL with a database that has n portfolios of an earlier
// release.
func eachEarlier(t *testing.T, n int, test func(t *testing.T, s *store.DB, url string, box *secret.Box, ids []string)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		s := storetest.Open(t, url, box)
		var ids []string
		for i := range n {
			payload := bytes.Replace(ledgers(i%3), []byte(`{"meta":{`), fmt.Appendf(nil,
				`{"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"meta":{"statement_period":{"from":"2026-01-01","to":"2026-01-%02d"},`, i+1), 1)
			ids = append(ids, save(t, s, "demo:asha", payload).PortfolioID)
		}
		test(t, s, url, box, ids)
	})
}

func TestPortfoliosOfAnEarlierReleaseAreReadAndConverted(t *testing.T) {
	t.Parallel()
	eachEarlier(t, 3, func(t *testing.T, s *store.DB, url string, box *secret.Box, ids []string) {
		var want []string
		for _, id := range ids {
			want = append(want, readEverything(t, s, id))
		}
		same := func(when string) {
			t.Helper()
			for i, id := range ids {
				if got := readEverything(t, s, id); got != want[i] {
					t.Errorf("%s\n got %s\nwant %s", when, got, want[i])
				}
			}
			if p, rows, err := s.Latest(t.Context(), "demo:asha"); err != nil || p.ID != ids[2] || len(rows) != 1 {
				t.Errorf("%s: the latest is %s with %v, %v", when, p.ID, rows, err)
			}
		}
		earlier(t, url, box, ids...)
		same("before")
		if done := convertAll(t, s); done.Converted != 3 || done.Unreadable != 0 || done.Last != slices.Max(ids) {
			t.Errorf("got %+v", done)
		}
		same("after")
		for table, n := range tables(t, url) {
			if (table == "holdings" || table == "transactions") && n != 0 || strings.HasPrefix(table, "packed_") && n != 3 || table == "owners" && n != 1 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
		if done := convertAll(t, s); done != (portfolio.Conversion{}) {
			t.Errorf("again: got %+v", done)
		}
		for _, id := range ids {
			c, err := s.Copy(t.Context(), "demo:asha", id)
			if err != nil || len(c.Owners) != 1 || len(c.Accounts) != 1 {
				t.Errorf("got owners %+v, accounts %+v, %v", c.Owners, c.Accounts, err)
			}
			if again := save(t, s, "demo:asha", c.Payload); again.Created || again.PortfolioID != id {
				t.Errorf("saved again as %+v", again)
			}
		}
	})
}

func TestStatementSavedAgainBeforeItsConversionIsNotDoubledAgain(t *testing.T) {
	t.Parallel()
	eachEarlier(t, 1, func(t *testing.T, s *store.DB, url string, box *secret.Box, ids []string) {
		payload, err := s.Payload(t.Context(), "demo:asha", ids[0])
		if err != nil {
			t.Fatal(err)
		}
		earlier(t, url, box, ids...)
		newer := save(t, s, "demo:asha", payload)
		if !newer.Created {
			t.Fatal("the test does not make a second portfolio")
		}
		if done := convertAll(t, s); done.Converted != 1 {
			t.Errorf("got %+v", done)
		}
		if again := save(t, s, "demo:asha", payload); again.Created || again.PortfolioID != newer.PortfolioID {
			t.Errorf("saved again as %+v, want %s", again, newer.PortfolioID)
		}
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != 2 || list[0].Active == list[1].Active {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

func TestUnreadablePortfolioIsConvertedOnceItsKeyIsBack(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		before := v.open(t, "lost")
		id := save(t, before, "demo:asha", named("Fund", "2026-03-31")).PortfolioID
		other := save(t, v.open(t, "new", "lost"), "demo:asha", named("Fund", "2026-02-28")).PortfolioID
		for _, portfolio := range []struct{ id, key string }{{id, "lost"}, {other, "new"}} {
			box, err := secret.NewBox(v.hash, secret.Key{ID: portfolio.key, Secret: v.keys[portfolio.key]})
			if err != nil {
				t.Fatal(err)
			}
			earlier(t, v.url, box, portfolio.id)
		}
		if done := convertAll(t, v.open(t, "new")); done.Converted != 1 || done.Unreadable != 1 {
			t.Errorf("without the key: got %+v", done)
		}
		s := v.open(t, "new", "lost")
		if done := convertAll(t, s); done.Converted != 1 || done.Unreadable != 0 {
			t.Errorf("with the key: got %+v", done)
		}
		for _, id := range []string{id, other} {
			if c, err := v.open(t, "new", "lost").Copy(t.Context(), "demo:asha", id); err != nil || c.Unreadable || len(c.Holdings) != 1 {
				t.Errorf("got %+v, %v", c, err)
			}
		}
	})
}

// interrupting ends ctx after the first batch.
type interrupting struct {
	*store.DB
	stop func()
}

func (i interrupting) ConvertPortfolios(ctx context.Context, after string, _ int, at time.Time) (portfolio.Conversion, error) {
	defer i.stop()
	return i.DB.ConvertPortfolios(ctx, after, 2, at)
}

func TestInterruptedConversionContinuesOnOneReplica(t *testing.T) {
	t.Parallel()
	eachEarlier(t, 6, func(t *testing.T, s *store.DB, url string, box *secret.Box, ids []string) {
		earlier(t, url, box, ids...)
		var log logtest.Log
		now := savedAt
		converter := func(of portfolio.ConvertStore) *portfolio.Converter {
			return &portfolio.Converter{Store: of, Jobs: s, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }}
		}
		ctx, stop := context.WithCancel(t.Context())
		if err := converter(interrupting{s, stop}).Run(ctx); err == nil {
			t.Error("got nil, want that it was interrupted")
		}
		if !strings.Contains(log.String(), "converted=2 ") {
			t.Errorf("logged %s", log.String())
		}
		var replicas sync.WaitGroup
		for range 4 {
			replica := storetest.Open(t, url, box)
			replicas.Go(func() {
				if err := converter(replica).Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		if got := log.String(); strings.Count(got, "converted=") != 2 || !strings.Contains(got, "converted=4 unreadable=0") {
			t.Errorf("logged %s", got)
		}
		earlier(t, url, box, ids[0])
		for i, wait := range []time.Duration{time.Minute, time.Hour} {
			now = savedAt.Add(wait)
			if err := converter(s).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Count(log.String(), "converted="), 2+i; got != want {
				t.Errorf("after %s: %d runs converted, want %d", wait, got, want)
			}
		}
	})
}
