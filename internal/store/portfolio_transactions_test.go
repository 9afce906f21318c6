package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// ledgers returns a payload of schemes with these numbers of transactions.
func ledgers(transactions ...int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[{"folio_number":"123/45","schemes":[`)
	for i, n := range transactions {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"Fund %d","units":1,"value":10,"transactions":[`, i)
		for j := range n {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"date":"2026-01-%02d","type":"REDEMPTION","units":"-%d.10","nav":null,"amount":-12345678901234567890.%03d,"balance":0}`,
				j%28+1, j, j%1000)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}]}`)
	return b.Bytes()
}

func TestTransactionsAreReadExactlyByPageAndByHolding(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		one := saving(t, "demo:asha", ledgers(3, 0, 25, 1))
		if len(one.Statement.Transactions) != 29 {
			t.Fatalf("the sample has %d", len(one.Statement.Transactions))
		}
		a, err := s.SavePortfolio(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		read := func(holding, first, limit int) []statement.Transaction {
			t.Helper()
			list, err := s.Transactions(t.Context(), "demo:asha", a.PortfolioID, holding, first, limit)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		same := func(what string, got, want []statement.Transaction) {
			t.Helper()
			if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); got != want {
				t.Errorf("%s\n got %s\nwant %s", what, got, want)
			}
		}
		want := one.Statement.Transactions
		same("all", read(portfolio.AllHoldings, 0, all), want)
		same("a page", read(portfolio.AllHoldings, 10, 7), want[10:17])
		same("a page of a holding", read(2, 5, 4), want[5:9])
		same("the last of a holding", read(2, 26, 4), want[26:28])
		same("a holding with none", read(1, 0, all), nil)
		if p, _, err := s.Portfolio(t.Context(), "demo:asha", a.PortfolioID, 0, all); err != nil || p.TransactionCount != len(want) {
			t.Errorf("%d are counted, %v", p.TransactionCount, err)
		}
		if _, err := s.Transactions(t.Context(), "demo:ravi", a.PortfolioID, portfolio.AllHoldings, 0, all); !errors.Is(err, portfolio.ErrNotFound) {
			t.Errorf("another user: %v", err)
		}
	})
}

func TestManyTransactionsAreSavedAndDeletedWithTheirPortfolio(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		a := save(t, s, "demo:asha", ledgers(4321))
		if n := rows("packed_transactions"); n != 1 {
			t.Errorf("%d rows", n)
		}
		last, err := s.Transactions(t.Context(), "demo:asha", a.PortfolioID, portfolio.AllHoldings, 4320, all)
		if err != nil || len(last) != 1 || last[0].Units.Decimal.String() != "-4320.1" {
			t.Errorf("the last is %+v, %v", last, err)
		}
		remove(t, s, a.PortfolioID)
		if n := rows("packed_transactions"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}
