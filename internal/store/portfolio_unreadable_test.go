package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// openUnder opens the database at url with the keys of these ids.
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
	return openUnmigrated(t, url, box)
}

func TestMissingKeyMakesOnlyItsRowsUnreadable(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		hash, keys := secret.RandomKey(), map[string]secret.Text{"k1": secret.RandomKey(), "k2": secret.RandomKey()}
		before := openUnder(t, url, keys, hash, "k1")
		if _, err := before.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := claim("k", "body", 0)
		mustClaim(t, before, c)
		lost, err := saveUnder(t, before, c)
		if err != nil {
			t.Fatal(err)
		}
		s := openUnder(t, url, keys, hash, "k2")
		kept := save(t, s, "demo:asha", named("Another", "2026-02-28"))

		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != 2 {
			t.Fatalf("listed %v, %v", list, err)
		}
		for _, p := range list {
			isLost := p.ID == lost.PortfolioID
			if p.Unreadable != isLost || (p.Investor.Name == "") != isLost || p.TotalValue.IsZero() != isLost || p.Counts["mutual_fund"] != 1 || p.Owner != 1 || p.Active != isLost {
				t.Errorf("listed %+v", p)
			}
		}
		if p, _, err := s.Portfolio(t.Context(), "demo:asha", lost.PortfolioID, 0, 0); err != nil || !p.Unreadable || p.StoredRows != 1 {
			t.Errorf("its summary: %+v, %v", p, err)
		}
		_, _, errRows := s.Portfolio(t.Context(), "demo:asha", lost.PortfolioID, 0, all)
		_, _, errLatest := s.Latest(t.Context(), "demo:asha")
		_, errSeveral := s.Rows(t.Context(), "demo:asha", []string{kept.PortfolioID, lost.PortfolioID})
		_, errTransactions := s.Transactions(t.Context(), "demo:asha", lost.PortfolioID, portfolio.AllHoldings, 0, all)
		for _, err := range []error{errRows, errLatest, errSeveral, errTransactions} {
			if !errors.Is(err, portfolio.ErrUnreadable) {
				t.Errorf("got %v, want ErrUnreadable", err)
			}
		}
		if c, err := s.Copy(t.Context(), "demo:asha", lost.PortfolioID); err != nil || !c.Unreadable || c.Holdings != nil || c.Transactions != nil || c.Payload != nil {
			t.Errorf("its copy: %+v, %v", c, err)
		}
		if _, err := s.Payload(t.Context(), "demo:asha", lost.PortfolioID); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("its payload: %v", err)
		}
		if _, err := s.Payload(t.Context(), "demo:asha", kept.PortfolioID); err != nil {
			t.Errorf("the payload of the other: %v", err)
		}
		if a, err := s.ClaimKey(t.Context(), claim("k", "body", time.Second)); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("the stored answer of its key: %+v, %v", a, err)
		}
		remove(t, s, lost.PortfolioID)
		if got := actives(t, s); got[1] != kept.PortfolioID {
			t.Errorf("active are %v", got)
		}
	})
}

func TestDamagedRowIsUnreadableAndLogged(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payloads := fill(t, v.open(t, "k1"), 0, 3)
		v.change(t, `UPDATE portfolios SET private = $1 WHERE id = (SELECT min(id) FROM portfolios)`, []byte("\x02k1 no ciphertext of ours at all"))
		v.change(t, `UPDATE payloads SET sealed = $1 WHERE portfolio = (SELECT min(portfolio) FROM payloads)`, []byte{})
		v.change(t, `UPDATE packed_holdings SET sealed = $1 WHERE portfolio = (SELECT min(portfolio) FROM payloads)`, []byte("\x02k1damaged"))
		v.change(t, `UPDATE idempotency SET answer = $1 WHERE portfolio = (SELECT min(id) FROM portfolios)`, []byte("\x02k1"))
		s := v.open(t, "k1")
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != len(payloads) {
			t.Fatalf("listed %v, %v", list, err)
		}
		damaged := list[len(list)-1]
		if !damaged.Unreadable || damaged.Investor.Name != "" || list[0].Unreadable {
			t.Errorf("listed %+v", list)
		}
		if log := v.log.String(); !strings.Contains(log, damaged.ID) || !strings.Contains(log, "level=ERROR") || strings.Contains(log, list[0].ID) {
			t.Errorf("logged %s", log)
		}
		if _, holdings, err := s.Portfolio(t.Context(), "demo:asha", damaged.ID, 0, all); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("its holdings: %+v, %v", holdings, err)
		}
		if _, err := s.Payload(t.Context(), "demo:asha", damaged.ID); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("its payload: %v", err)
		}
		if a, err := s.ClaimKey(t.Context(), claim("key 0", "body", time.Second)); !errors.Is(err, portfolio.ErrUnreadable) {
			t.Errorf("the stored answer of its key: %+v, %v", a, err)
		}
	})
}

func TestUnreadablePortfolioIsRestoredBySavingItAgain(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		lost := v.open(t, "lost")
		first := save(t, lost, "demo:asha", named("Fund", "2026-03-31"))
		payload := bytes.Replace(named("Another", "2026-02-28"), []byte("AAAPZ9999A"), []byte("BBBPZ9999B"), 1)
		other := save(t, lost, "demo:asha", payload)
		before, _, err := lost.Portfolio(t.Context(), "demo:asha", other.PortfolioID, 0, all)
		if err != nil || before.Owner != 2 || !before.Active {
			t.Fatalf("got %+v, %v", before, err)
		}

		s := v.open(t, "new")
		var rendered portfolio.Portfolio
		again := saving(t, "demo:asha", payload)
		again.Portfolio.SavedAt = savedAt.Add(time.Hour)
		again.Render = func(p portfolio.Portfolio, _ bool) ([]byte, error) { rendered = p; return []byte("{}"), nil }
		a, err := s.SavePortfolio(t.Context(), again)
		if err != nil || a.Created || a.PortfolioID != other.PortfolioID {
			t.Fatalf("saved again as %+v, %v", a, err)
		}
		after, holdings, err := s.Portfolio(t.Context(), "demo:asha", other.PortfolioID, 0, all)
		if err != nil || len(holdings) != 1 || holdings[0].Account != "123/45" {
			t.Errorf("its holdings: %+v, %v", holdings, err)
		}
		for _, got := range []*portfolio.Portfolio{&after, &rendered} {
			if got.Period == nil || *got.Period != *before.Period {
				t.Errorf("period %+v", got.Period)
			}
			got.Period = before.Period // compared; a pointer prints as an address
			got.Version, before.Version = "", ""
			if got, want := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", before); got != want {
				t.Errorf("portfolio\n got %s\nwant %s", got, want)
			}
		}
		if raw, err := s.Payload(t.Context(), "demo:asha", other.PortfolioID); err != nil || !bytes.Equal(raw, payload) {
			t.Errorf("payload %q, %v", raw, err)
		}
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != 2 || list[0].ID != other.PortfolioID || !list[1].Unreadable || list[1].ID != first.PortfolioID {
			t.Errorf("listed %+v, %v", list, err)
		}
		trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, all)
		if err != nil || len(trail) != 3 || trail[2].Object != other.PortfolioID {
			t.Errorf("audit trail: %+v, %v", trail, err)
		}
	})
}
