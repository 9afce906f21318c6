package portfolio_test

import (
	"net/http"
	"slices"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestAccountsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db)
		b.saveAll("asha", cas("CAMS_KFINTECH", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, []string{
			folioOf("5551", scheme(1, "10", "90", false)), folioOf("5552", scheme(1, "10", "80", false)), folioOf("5553", scheme(2, "10", "70", false)),
		}))
		type page struct {
			Owners   []owner
			Accounts []accountAnswer
			Next     *string `json:"next_cursor"`
		}
		read := func(query string) (p page) { b.read("asha", "/v1/accounts"+query, &p); return p }
		whole := read("")
		if len(whole.Accounts) != 4 || whole.Next != nil {
			t.Fatalf("got %d accounts, next %v, want 4 and no more", len(whole.Accounts), whole.Next)
		}
		var ids, paged []string
		for _, a := range whole.Accounts {
			ids = append(ids, a.ID)
		}
		first := read("?limit=3")
		for p, pages := first, 1; ; pages++ {
			for _, a := range p.Accounts {
				paged = append(paged, a.ID)
			}
			if len(p.Owners) != 1 || p.Owners[0].Accounts != 4 {
				t.Errorf("got owners %+v on page %d, want all accounts of one", p.Owners, pages)
			}
			if p.Next == nil {
				break
			}
			p = read("?limit=3&cursor=" + *p.Next)
		}
		if !slices.Equal(paged, ids) {
			t.Errorf("got %v page by page, want %v", paged, ids)
		}
		if got := read("?limit=4"); got.Next != nil {
			t.Errorf("got another page after the last account: %s", *got.Next)
		}

		rows := b.owned("asha", "?limit=1")
		for query, code := range map[string]string{
			"limit=0": "invalid_limit", "limit=1001": "invalid_limit", "cursor=x": "invalid_cursor", "cursor=" + *rows.NextCursor: "invalid_cursor",
			"owner=1&provenance=verified&cursor=" + *first.Next: "invalid_cursor",
		} {
			if r := b.get("asha", "/v1/accounts?"+query).want(t, http.StatusBadRequest); r.Code != code {
				t.Errorf("%s: got %s, want %s", query, r.Code, code)
			}
		}
		b.saveAll("asha", cas("CAMS_KFINTECH", "2026-02-28", nil, []string{folioOf("5554", scheme(1, "10", "90", false))}))
		if r := b.get("asha", "/v1/accounts?limit=3&cursor="+*first.Next).want(t, http.StatusBadRequest); r.Code != "invalid_cursor" {
			t.Errorf("after another statement: got %s, want invalid_cursor", r.Code)
		}
	})
}
