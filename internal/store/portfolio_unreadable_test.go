package store_test

import (
	"errors"
	"testing"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// openUnder opens the database at url with the sealing keys of ids, all of which
// are the same in one test.
func openUnder(t *testing.T, url string, keys map[string]secret.Text, hash secret.Text, ids ...string) *store.DB {
	t.Helper()
	var sealing []secret.Key
	for _, id := range ids {
		sealing = append(sealing, secret.Key{ID: id, Secret: keys[id]})
	}
	box, err := secret.NewBox(hash, sealing...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{URL: secret.URL(url), Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestALostKeyMakesItsRowsUnreadableAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, url := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, hash, keys := url(t), newKey(), map[string]secret.Text{"k1": newKey(), "k2": newKey()}
			before := openUnder(t, at, keys, hash, "k1")
			if _, err := before.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			c := claim("k", "body", 0)
			mustClaim(t, before, c)
			lost, err := saveUnder(t, before, c)
			if err != nil {
				t.Fatal(err)
			}
			s := openUnder(t, at, keys, hash, "k2")
			kept := save(t, s, "demo:asha", named("Another", "2026-02-28"))

			list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
			if err != nil || len(list) != 2 {
				t.Fatalf("listed %v, %v", list, err)
			}
			for _, p := range list {
				isLost := p.ID == lost.PortfolioID
				if p.Unreadable != isLost || (p.Investor.Name == "") != isLost || p.Owner != 1 || p.Active != isLost {
					t.Errorf("listed %+v", p)
				}
			}
			_, holdings, err := s.Portfolio(t.Context(), "demo:asha", lost.PortfolioID, 0, all)
			if err != nil || len(holdings) != 1 || holdings[0].Account != "" || holdings[0].Name != "Fund" {
				t.Errorf("its holdings: %+v, %v", holdings, err)
			}
			if _, err := s.Payload(t.Context(), "demo:asha", lost.PortfolioID); !errors.Is(err, portfolio.ErrUnreadable) {
				t.Errorf("its payload: %v", err)
			}
			if _, err := s.Payload(t.Context(), "demo:asha", kept.PortfolioID); err != nil {
				t.Errorf("the payload of the other: %v", err)
			}
			if a, err := s.ClaimKey(t.Context(), claim("k", "body", time.Second)); !errors.Is(err, portfolio.ErrUnreadable) {
				t.Errorf("the answer kept for its key: %+v, %v", a, err)
			}
			if again := save(t, s, "demo:asha", named("Fund", "2026-03-31")); again.Created || again.PortfolioID != lost.PortfolioID {
				t.Errorf("saved again as %+v", again)
			}
			remove(t, s, lost.PortfolioID)
			if got := actives(t, s); got[1] != kept.PortfolioID {
				t.Errorf("active are %v", got)
			}
		})
	}
}
