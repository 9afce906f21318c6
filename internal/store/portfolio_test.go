package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

var savedAt = time.Date(2026, 4, 1, 9, 30, 0, 123_000_000, time.UTC)

const all = 20_000

// named returns a payload whose only scheme is called name; two names make two statements.
func named(name, to string) []byte {
	return fmt.Appendf(nil, `{"meta":{"cas_type":"CAMS_KFINTECH","statement_period":{"from":"2026-01-01","to":%q}},
		"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
		"mutual_funds":[{"folio_number":"123/45","amc":"Sample AMC","schemes":[{"name":%q,"units":"1.50","value":10}]}]}`, to, name)
}

// saving returns the Saving that the service makes of payload.
func saving(t *testing.T, subject string, payload []byte) portfolio.SaveRequest {
	t.Helper()
	st, err := statement.Parse(payload, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	p := portfolio.Portfolio{
		ID: id.New("pf"), Subject: subject, Provenance: portfolio.Reported, SavedAt: savedAt, Summary: st.Summary,
	}
	return portfolio.SaveRequest{
		Portfolio: p, Statement: *st, Payload: payload,
		Record: audit.New(t.Context(), savedAt, subject, audit.PortfolioSave, subject, p.ID),
		Render: func(p portfolio.Portfolio, created bool) ([]byte, error) {
			return fmt.Appendf(nil, `{"id":%q,"created":%t}`, p.ID, created), nil
		},
	}
}

func save(t *testing.T, s *store.DB, subject string, payload []byte) portfolio.SaveResult {
	t.Helper()
	a, err := s.SavePortfolio(t.Context(), saving(t, subject, payload))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSavedPortfolioIsReadBackCompletely(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		payload := named("Fund <b>'; DROP TABLE holdings;-- \u202e", "2026-03-31")
		want := saving(t, "demo:asha", payload)
		a, err := s.SavePortfolio(t.Context(), want)
		if err != nil || !a.Created || a.PortfolioID != want.Portfolio.ID {
			t.Fatalf("saved as %+v, %v", a, err)
		}
		p, holdings, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all)
		if err != nil {
			t.Fatal(err)
		}
		if *p.Period != *want.Portfolio.Period {
			t.Errorf("period %+v", *p.Period)
		}
		p.Period, want.Portfolio.Period = nil, nil // compared; a pointer prints as an address
		want.Portfolio.Owner, want.Portfolio.Active = 1, true
		if len(p.Owners) != 1 || len(p.Accounts) != 1 {
			t.Errorf("owners %+v, accounts %+v", p.Owners, p.Accounts)
		}
		p.Owners, p.Accounts, p.Version = nil, nil, ""
		if got, want := fmt.Sprintf("%+v", p), fmt.Sprintf("%+v", want.Portfolio); got != want {
			t.Errorf("portfolio\n got %s\nwant %s", got, want)
		}
		if got, want := fmt.Sprintf("%+v", holdings), fmt.Sprintf("%+v", want.Statement.Holdings); got != want {
			t.Errorf("holdings\n got %s\nwant %s", got, want)
		}
		raw, err := s.Payload(t.Context(), "demo:asha", a.PortfolioID)
		if err != nil || !bytes.Equal(raw, payload) {
			t.Errorf("payload %q, %v", raw, err)
		}
	})
}

func TestDecimalsAreReadBackExactly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for _, text := range []string{
			"0.1", "0", "1.5", "12345678901234567890.123456789", "0.00000000000000000001",
			"999999999999999999999999999999.99999999999999999999", "100000",
		} {
			a := save(t, s, "demo:asha", fmt.Appendf(nil, `{"meta":{"cas_type":"NSDL"},"summary":{"total_value":%s},"nps":[{"funds":[
				{"name":"Fund","units":%s,"nav":%s,"value":%s,"cost":%s}]}]}`, text, text, text, text, text))
			p, holdings, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all)
			if err != nil {
				t.Fatal(err)
			}
			h := holdings[0]
			for _, got := range []decimal.Decimal{p.TotalValue, h.Units.Decimal, h.Price.Decimal, h.Value.Decimal, h.Cost.Decimal} {
				if got.String() != text {
					t.Errorf("%s came back as %s", text, got)
				}
			}
			if h.Gain.Valid || h.SumAssured.Valid {
				t.Error("an amount that was not stated is not NULL")
			}
		}
	})
}

func TestPortfolioCanOnlyBeReadByItsSubject(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		a := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		record := audit.New(t.Context(), savedAt, "demo:ravi", audit.PortfolioDelete, "demo:ravi", a.PortfolioID)
		_, _, errPortfolio := s.Portfolio(t.Context(), "demo:ravi", a.PortfolioID, 0, all)
		_, errPayload := s.Payload(t.Context(), "demo:ravi", a.PortfolioID)
		_, _, errLatest := s.Latest(t.Context(), "demo:ravi")
		errDelete := s.DeletePortfolio(t.Context(), "demo:ravi", a.PortfolioID, record)
		for _, err := range []error{errPortfolio, errPayload, errLatest, errDelete} {
			if !errors.Is(err, portfolio.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
		if list, err := s.Portfolios(t.Context(), "demo:ravi", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
		if other := save(t, s, "demo:ravi", named("Fund", "2026-03-31")); !other.Created || other.PortfolioID == a.PortfolioID {
			t.Errorf("the same statement of another user: %+v", other)
		}
		if _, _, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all); err != nil {
			t.Errorf("after all that: %v", err)
		}
	})
}

func TestConcurrentSavesOfOneStatementCreateItOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var created atomic.Int32
		var ids sync.Map
		var all sync.WaitGroup
		for range 20 {
			one := saving(t, "demo:asha", named("Fund", "2026-03-31"))
			all.Go(func() {
				a, err := s.SavePortfolio(t.Context(), one)
				if err != nil {
					t.Error(err)
				}
				if a.Created {
					created.Add(1)
				}
				ids.Store(a.PortfolioID, true)
			})
		}
		all.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: 100})
		if err != nil || created.Load() != 1 || n != 1 || len(list) != 1 {
			t.Errorf("%d created, %d ids, %d rows, %v", created.Load(), n, len(list), err)
		}
	})
}

func TestFailedSaveStoresNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		broken := saving(t, "demo:asha", named("Fund", "2026-03-31"))
		broken.Render = func(portfolio.Portfolio, bool) ([]byte, error) { return nil, errors.New("no answer") }
		if _, err := s.SavePortfolio(t.Context(), broken); err == nil {
			t.Fatal("got nil, want an error")
		}
		if list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
		if _, err := s.Payload(t.Context(), "demo:asha", broken.Portfolio.ID); !errors.Is(err, portfolio.ErrNotFound) {
			t.Errorf("its payload: %v", err)
		}
		if a := save(t, s, "demo:asha", named("Fund", "2026-03-31")); !a.Created {
			t.Error("Created is false when saved again")
		}
	})
}

func TestDeletedPortfolioIsGoneAndCanBeSavedAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		a := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		record := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", a.PortfolioID)
		if err := s.DeletePortfolio(t.Context(), "demo:asha", a.PortfolioID, record); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all); !errors.Is(err, portfolio.ErrNotFound) {
			t.Errorf("after: %v", err)
		}
		record.ID = id.New("au")
		if err := s.DeletePortfolio(t.Context(), "demo:asha", a.PortfolioID, record); !errors.Is(err, portfolio.ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
		if again := save(t, s, "demo:asha", named("Fund", "2026-03-31")); !again.Created {
			t.Error("Created is false when saved again")
		}
	})
}

func TestLatestPortfolioIsTheOneWhosePeriodEndsLast(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		march := save(t, s, "demo:asha", named("Fund", "2026-03-31"))
		save(t, s, "demo:asha", named("Fund", "2026-01-31"))
		save(t, s, "demo:asha", []byte(`{"meta":{"cas_type":"CDSL"},"nps":[{"funds":[{"name":"Fund","units":1}]}]}`))
		if got, rows, err := s.Latest(t.Context(), "demo:asha"); err != nil || got.ID != march.PortfolioID || len(rows) != 1 {
			t.Errorf("got %s with %v, %v", got.ID, rows, err)
		}
		later := saving(t, "demo:asha", named("Another", "2026-03-31"))
		later.Portfolio.SavedAt = savedAt.Add(time.Second)
		if _, err := s.SavePortfolio(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.Latest(t.Context(), "demo:asha"); err != nil || got.ID != later.Portfolio.ID {
			t.Errorf("of the same period: got %s, %v", got.ID, err)
		}
	})
}

func TestPagesListEachPortfolioOnceNewestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var want []string
		for i := range 7 {
			one := saving(t, "demo:asha", named(fmt.Sprint("Fund ", i), "2026-03-31"))
			one.Portfolio.SavedAt = savedAt.Add(time.Duration(i) * time.Second)
			if _, err := s.SavePortfolio(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			want = append([]string{one.Portfolio.ID}, want...)
		}
		var got []string
		var after portfolio.Cursor
		for {
			page, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{After: after, Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				got = append(got, p.ID)
			}
			after = portfolio.Cursor{SavedAt: page[len(page)-1].SavedAt, ID: got[len(got)-1]}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestLargeStatementsAreStoredRowByRowInOrder(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const rows = 1234 // more than one statement inserts
		var b bytes.Buffer
		b.WriteString(`{"meta":{"cas_type":"NSDL"},"nps":[{"pran":"990000000001","funds":[{"name":"Fund 0","units":0}`)
		for i := 1; i < rows; i++ {
			fmt.Fprintf(&b, `,{"name":"Fund %d","units":%d}`, i, i)
		}
		b.WriteString(`]}]}`)
		a := save(t, s, "demo:asha", b.Bytes())
		_, holdings, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all)
		if err != nil || len(holdings) != rows {
			t.Fatalf("%d rows, %v", len(holdings), err)
		}
		for i, h := range holdings {
			if h.Seq != i || h.Units.Decimal.String() != fmt.Sprint(i) || h.Account != "990000000001" {
				t.Fatalf("row %d is %+v", i, h)
			}
		}
		_, page, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 1230, 10)
		if err != nil || len(page) != 4 || page[0].Name != "Fund 1230" {
			t.Errorf("page %+v, %v", page, err)
		}
	})
}

func TestNothingIsStoredAfterTheCallersDeadline(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		slow := fault.New(fault.Unavailable, "slow", "Too slow.")
		ctx, cancel := context.WithCancelCause(t.Context())
		one := saving(t, "demo:asha", named("Fund", "2026-03-31"))
		one.Render = func(portfolio.Portfolio, bool) ([]byte, error) { cancel(slow); return nil, nil }
		if _, err := s.SavePortfolio(ctx, one); !errors.Is(err, slow) {
			t.Errorf("got %v", err)
		}
		if list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
	})
}
