package portfolio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/shopspring/decimal"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// monthly returns the statements of a person for some months, each with the same accounts: a
// demat account with half of the rows, and a folio for each of the others.
func monthly(months, rows int) *family {
	f := &family{rows: map[string]portfolio.Rows{}, owners: []portfolio.Owner{{Number: 1, Name: "Asha Example", PANMasked: "XXXXXX999A"}}}
	for i := range 1 + rows/2 {
		a := portfolio.Account{FirstSeen: begin, LastSeen: begin, Statements: months}
		a.ID, a.Owner, a.Kind, a.Number = fmt.Sprintf("ac_%026d", i), 1, statement.Folio, fmt.Sprint(1000000+i)
		a.Institution, a.Holders = "Sample Asset Management", []portfolio.Holder{{Name: "Asha Example", PANMasked: "XXXXXX999A"}}
		f.accounts = append(f.accounts, a)
	}
	for month := range months {
		s := portfolio.AccountStatement{
			PortfolioID: fmt.Sprintf("pf_%026d", month), CASType: statement.CDSL, Owner: 1, Provenance: portfolio.Reported,
			To: time.Date(2024, time.Month(month+2), 0, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), SavedAt: begin,
		}
		var r portfolio.Rows
		for i := range f.accounts {
			r.Accounts, s.Entries = append(r.Accounts, statement.Account{}), append(s.Entries, portfolio.AccountEntry{Account: i, Owner: 1})
		}
		for i := range rows {
			r.Holdings = append(r.Holdings, statement.Holding{
				Seq: i, Class: statement.MutualFund, ISIN: "INF200K01AB4", Name: "Sample Flexi Cap Fund - Direct Plan - Growth", Account: "1000001/21",
				Institution: "Sample Asset Management", Category: "Equity", AccountIndex: max(0, i-rows/2),
				Units: decimal.NewNullDecimal(decimal.New(123456, -3)), Price: decimal.NewNullDecimal(decimal.New(1012345, -4)),
				Value: decimal.NewNullDecimal(decimal.New(500025, -2)), Cost: decimal.NewNullDecimal(decimal.New(4000, 0)),
			})
		}
		f.statements, f.rows[s.PortfolioID] = append(f.statements, s), r
	}
	return f
}

// BenchmarkOwned reads what a user with 24 statements of 100 rows owns, without a database.
func BenchmarkOwned(b *testing.B) {
	service, _ := serviceOf(monthly(24, 100))
	e := echo.New()
	g := e.Group("/v1", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx := auth.With(c.Request().Context(), &auth.Principal{Subject: "demo:asha", Roles: auth.RoleUser})
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	})
	(&portfolio.Handler{Portfolios: service}).Mount(g)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/holdings", nil)
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if size = w.Body.Len(); w.Code != http.StatusOK {
			b.Fatalf("got %d: %s", w.Code, w.Body)
		}
	}
	b.ReportMetric(float64(size), "bytes")
}
