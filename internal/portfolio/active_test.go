package portfolio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/testkit/storetest"
)

// statementOf returns a statement of issuer with this PAN for the month that ends on to.
func statementOf(issuer, pan, to string) []byte {
	return fmt.Appendf(nil, `{"meta":{"cas_type":%q,"statement_period":{"from":"%s-01","to":%q}},"investor":{"name":"N","pan":%q},
		"nps":[{"pran":"990000000091","funds":[{"name":"F","units":1,"value":1}]}]}`, issuer, to[:7], to, pan)
}

// portfolioPage is a page of the list of portfolios.
type portfolioPage struct {
	Portfolios []shown `json:"portfolios"`
	Next       *string `json:"next_cursor"`
}

// page returns one page of the user's portfolios.
func (b *broker) page(user, query string) (p portfolioPage) {
	b.t.Helper()
	r := b.get(user, "/v1/portfolios"+query)
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != http.StatusOK {
		b.t.Fatalf("got %d %s", r.status, r.body)
	}
	return p
}

// list returns the portfolios on one page.
func (b *broker) list(user, query string) []shown {
	b.t.Helper()
	return b.page(user, query).Portfolios
}

func TestEachOwnerHasOneActivePortfolio(t *testing.T) {
	t.Parallel()
	b := start(t)
	save := func(issuer, pan, to string) shown {
		t.Helper()
		return b.save("asha", statementOf(issuer, pan, to)).want(t, http.StatusCreated)
	}
	funds := save("CAMS", "AAAPZ9999A", "2026-03-31")
	old := save("NSDL", "AAAPZXXXXA", "2026-01-31")
	current := save("CDSL", "AAAPZ9999A", "2026-02-28")
	late := save("NSDL", "AAAPZ9999A", "2025-12-31")
	theirs := save("KFINTECH", "BBBPZ9999B", "2025-11-30")
	for _, one := range []struct {
		shown
		active bool
		owner  int
	}{{funds, true, 1}, {old, true, 1}, {current, true, 1}, {late, false, 1}, {theirs, true, 2}} {
		if one.Active != one.active || one.Owner != one.owner || !one.Readable {
			t.Errorf("saved %+v", one)
		}
	}
	if len(theirs.Warnings) != 1 || theirs.Warnings[0] != (finding{"", "other_owner"}) || len(current.Warnings) != 0 {
		t.Errorf("got warnings %v and %v, want other_owner and none", theirs.Warnings, current.Warnings)
	}
	active := func(want ...string) {
		t.Helper()
		var got []string
		for _, p := range b.list("asha", "?active=true") {
			got = append(got, p.ID)
			if read := b.get("asha", "/v1/portfolios/"+p.ID).want(t, http.StatusOK); !read.Active || read.Owner != p.Owner {
				t.Errorf("listed as %+v, read as %+v", p, read)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got active portfolios %v, want %v", got, want)
		}
	}
	active(theirs.ID, current.ID)
	if all := b.list("asha", "?active=false"); len(all) != 5 {
		t.Errorf("got %d portfolios, want 5", len(all))
	}
	for _, step := range []struct {
		gone string
		next string
	}{{current.ID, old.ID}, {old.ID, late.ID}, {late.ID, funds.ID}} {
		b.call("asha", http.MethodDelete, "/v1/portfolios/"+step.gone, nil).want(t, http.StatusNoContent)
		active(theirs.ID, step.next)
	}
}

func TestActiveListIsPagedWithoutInactivePortfolios(t *testing.T) {
	t.Parallel()
	b := start(t)
	for i := range 4 {
		pan := fmt.Sprintf("AAAPZ999%dA", i)
		b.save("asha", statementOf("NSDL", pan, "2026-03-31")).want(t, http.StatusCreated)
		b.save("asha", statementOf("NSDL", pan, "2026-02-28")).want(t, http.StatusCreated)
	}
	owners := map[int]bool{}
	pages := 0
	for path := "/v1/portfolios?active=true&limit=3"; path != ""; pages++ {
		var page struct {
			Portfolios []shown `json:"portfolios"`
			NextCursor *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(b.get("asha", path).body, &page); err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Portfolios {
			owners[p.Owner] = p.Active
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios?active=true&limit=3&cursor=" + *page.NextCursor
		}
	}
	if pages != 2 || len(owners) != 4 || !owners[1] || !owners[2] || !owners[3] || !owners[4] {
		t.Errorf("got %d pages with the owners %v, want 2 with 1 to 4", pages, owners)
	}
}

func TestOtherOwnersStatementIsRefusedIfConfigured(t *testing.T) {
	t.Parallel()
	b := serve(t, storetest.New(t), func(s *portfolio.Service) { s.RefuseOther = true })
	b.save("asha", statementOf("NSDL", "AAAPZ9999A", "2026-03-31")).want(t, http.StatusCreated)
	r := b.save("asha", statementOf("NSDL", "AAAPZ9999B", "2026-03-31"), "Idempotency-Key", "k")
	if got := r.want(t, http.StatusConflict); got.Code != "other_owner" || got.Detail == "" {
		t.Errorf("got %s", r.body)
	}
	b.save("asha", statementOf("NSDL", "XXXXXX999A", "2026-02-28"), "Idempotency-Key", "k").want(t, http.StatusCreated)
	b.save("ravi", statementOf("NSDL", "AAAPZ9999B", "2026-03-31")).want(t, http.StatusCreated)
	if all := b.list("asha", ""); len(all) != 2 {
		t.Errorf("got %d portfolios, want 2", len(all))
	}
}
