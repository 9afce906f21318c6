package portfolio_test

import (
	"net/http"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// TestHoldingsAreThoseOfTheStatementsNow reads on two replicas, so that each has answers in
// memory when the other changes the statements.
func TestHoldingsAreThoseOfTheStatementsNow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		one, other := serve(t, db), serve(t, db)
		expect := func(doing, want string) {
			t.Helper()
			for range 2 {
				for _, b := range []*broker{one, other} {
					if got := b.owned("asha", "").TotalValue; got != want {
						t.Errorf("%s: got %s, want %s", doing, got, want)
					}
				}
			}
		}
		expect("before", "0.00")
		statement := func(to, value string) []byte {
			return cas("CAMS_KFINTECH", to, nil, []string{folioOf("5551", scheme(1, "10", value, false))})
		}
		first := one.saveAll("asha", statement("2026-01-31", "90"))
		expect("the first statement", "90.00")
		second := other.saveAll("asha", statement("2026-02-28", "100"))
		expect("the second statement", "100.00")
		one.call("asha", http.MethodDelete, "/v1/portfolios/"+second[0], nil)
		expect("without the second", "90.00")
		other.saveAll("asha", statement("2026-02-28", "110"))
		expect("another second statement", "110.00")
		if got := one.owned("ravi", "").TotalValue; got != "0.00" {
			t.Errorf("another user: got %s, want 0.00", got)
		}
		one.call("asha", http.MethodDelete, "/v1/portfolios/"+first[0], nil)
		expect("without the first", "110.00")
	})
}
