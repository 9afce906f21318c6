package store_test

import (
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestOperatorsSeePortfoliosWithoutPersonalData(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		old := saving(t, "app:asha", named("Old Fund", "2026-02-28"))
		undated := saving(t, "app:asha", []byte(`{"meta":{"cas_type":"NSDL"},"investor":{"name":"Rohan Example","pan":"BBBPZ9999B"},
			"demat_accounts":[{"holdings":{"equities":[{"isin":"INE999Z01012","name":"Example Steel","units":1,"value":10}, {}]}}]}`))
		undated.Portfolio.SavedAt = savedAt.Add(time.Minute)
		for _, save := range []portfolio.SaveRequest{old, undated, saving(t, "app:rohan", named("Fund", "2026-03-31"))} {
			if _, err := s.SavePortfolio(t.Context(), save); err != nil {
				t.Fatal(err)
			}
		}
		want := []portfolio.Metadata{
			{
				ID: undated.Portfolio.ID, SavedAt: savedAt.Add(time.Minute), Provenance: portfolio.Reported, CASType: "NSDL",
				Owner: 2, Active: true, Holdings: 1, Rejected: 1,
			},
			{
				ID: old.Portfolio.ID, SavedAt: savedAt, Provenance: portfolio.Reported, CASType: "CAMS_KFINTECH",
				Period: statement.Period{From: "2026-01-01", To: "2026-02-28"}, Owner: 1, Active: true, Holdings: 1,
			},
		}
		for _, limit := range []int{1, 2, 50} {
			list, all, err := s.PortfolioMetadata(t.Context(), "app:asha", limit)
			if err != nil || all != 2 || len(list) != min(limit, 2) {
				t.Fatalf("up to %d: %d of %d, %v", limit, len(list), all, err)
			}
			for i, got := range list {
				if got != want[i] {
					t.Errorf("got  %+v\nwant %+v", got, want[i])
				}
			}
		}
		if list, all, err := s.PortfolioMetadata(t.Context(), "app:nobody", 50); err != nil || all != 0 || len(list) != 0 {
			t.Errorf("of an unknown user: %+v, %d, %v", list, all, err)
		}
	})
}
