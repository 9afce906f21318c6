package store_test

import (
	"fmt"
	"testing"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/webhook"
)

// TestEventSaysThatHoldingsHaveChanged saves, verifies and deletes statements of which some
// count and some do not.
func TestEventSaysThatHoldingsHaveChanged(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		seen := int64(0)
		var types []webhook.Type
		expect := func(doing string, want ...webhook.Type) {
			t.Helper()
			types = nil
			number(t, s)
			for _, e := range eventsAfter(t, s, seen) {
				types, seen = append(types, e.Type), e.Seq
			}
			if fmt.Sprint(types) != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %s", doing, types, want)
			}
		}
		month := func(to string, numbers ...string) []byte {
			var list []folio
			for _, n := range numbers {
				list = append(list, folio{n, "Asha Example", ashaPAN, fund})
			}
			return folios(to, "Asha Example", ashaPAN, list...)
		}
		march := save(t, s, "demo:asha", month("2026-03-31", "1", "2"))
		expect("the first statement", webhook.PortfolioSaved, webhook.HoldingsChanged)
		january := save(t, s, "demo:asha", month("2026-01-31", "1", "2"))
		expect("an earlier one of the same accounts", webhook.PortfolioSaved)
		december := save(t, s, "demo:asha", month("2025-12-31", "1", "3"))
		expect("an account that has ended since", webhook.PortfolioSaved)
		save(t, s, "demo:asha", month("2026-03-31", "1", "2"))
		expect("the same statement again")
		verified := saving(t, "demo:asha", month("2026-01-31", "1", "2"))
		verified.Portfolio.Provenance, verified.Portfolio.ObservedAt = portfolio.Verified, verified.Portfolio.SavedAt
		if _, err := s.SavePortfolio(t.Context(), verified); err != nil {
			t.Fatal(err)
		}
		expect("one that does not count is verified", webhook.PortfolioSaved)
		verified = saving(t, "demo:asha", month("2026-03-31", "1", "2"))
		verified.Portfolio.Provenance, verified.Portfolio.ObservedAt = portfolio.Verified, verified.Portfolio.SavedAt
		if _, err := s.SavePortfolio(t.Context(), verified); err != nil {
			t.Fatal(err)
		}
		expect("the one that counts is verified", webhook.PortfolioSaved, webhook.HoldingsChanged)
		remove := func(saved portfolio.SaveResult) {
			t.Helper()
			r := audit.New(t.Context(), savedAt, "demo:asha", audit.PortfolioDelete, "demo:asha", saved.PortfolioID)
			if err := s.DeletePortfolio(t.Context(), "demo:asha", saved.PortfolioID, r); err != nil {
				t.Fatal(err)
			}
		}
		remove(january)
		expect("one that does not count is deleted", webhook.PortfolioDeleted)
		remove(march)
		expect("the one that counts is deleted", webhook.PortfolioDeleted, webhook.HoldingsChanged)
		remove(december)
		expect("the last is deleted", webhook.PortfolioDeleted, webhook.HoldingsChanged)
	})
}
