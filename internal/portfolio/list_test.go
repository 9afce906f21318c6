package portfolio_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// folios is a statement of Asha that lists a folio of hers and one of Bina, without a period.
const folios = `{"meta":{"cas_type":"CAMS_KFINTECH"},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"mutual_funds":[
	{"amc":"Example MF","folio_number":"11","linked_holders":[{"name":"Asha Example","pan":"AAAPZ9999A"}],
		"schemes":[{"isin":"INF999Z01019","name":"Example Fund","units":1,"value":1}]},
	{"amc":"Example MF","folio_number":"22","linked_holders":[{"name":"Bina Example","pan":"BBBPZ9999B"}],
		"schemes":[{"isin":"INF999Z01019","name":"Example Fund","units":1,"value":1}]}]}`

func TestListIsFilteredByEachParameter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db)
		ids := []string{
			b.save("asha", statementOf("CDSL", "AAAPZ9999A", "2025-12-31")).want(t, http.StatusCreated).ID,
			b.save("asha", statementOf("NSDL", "BBBPZ9999B", "2026-01-31")).want(t, http.StatusCreated).ID,
			b.save("asha", []byte(folios)).want(t, http.StatusCreated).ID, // on 2026-04-01
		}
		for query, want := range map[string][]int{
			"":                                   {2, 1, 0},
			"?cas_type=NSDL":                     {1},
			"?provenance=reported":               {2, 1, 0},
			"?provenance=verified":               nil,
			"?owner=1":                           {2, 0},
			"?owner=2":                           {2, 1}, // 2 has a folio of Bina
			"?owner=1&class=nps&from=2026-01-01": nil,    // owner 1 has none of these
			"?class=nps":                         {1, 0},
			"?class=mutual_fund":                 {2},
			"?class=equity":                      nil,
			"?from=2026-01-31":                   {2, 1},
			"?from=2026-04-01":                   {2},
			"?from=2026-04-02":                   nil,
			"?to=2026-01-31":                     {1, 0},
			"?to=2025-12-30":                     nil,
			"?from=2026-01-31&to=2026-01-31&class=nps&owner=2&cas_type=NSDL": {1},
			"?active=true&owner=2": {1},
		} {
			var wanted []string
			for _, i := range want {
				wanted = append(wanted, ids[i])
			}
			var got []string
			for _, p := range b.list("asha", query) {
				got = append(got, p.ID)
			}
			if !slices.Equal(got, wanted) {
				t.Errorf("%q: got %v, want %v of %v", query, got, wanted, ids)
			}
		}
		for _, query := range []string{"?owner=3", "?owner=3&class=nps&limit=1"} {
			if r := b.get("asha", "/v1/portfolios"+query).want(t, http.StatusNotFound); r.Code != "owner_not_found" || !strings.Contains(r.Detail, "/v1/accounts") {
				t.Errorf("%s: got %s %q, want owner_not_found with what to do", query, r.Code, r.Detail)
			}
		}
		var paged []string
		for query := "?class=nps&limit=1"; query != ""; {
			page := b.page("asha", query)
			for _, p := range page.Portfolios {
				paged = append(paged, p.ID)
			}
			if query = ""; page.Next != nil {
				query = "?class=nps&limit=1&cursor=" + *page.Next
			}
		}
		if want := []string{ids[1], ids[0]}; !slices.Equal(paged, want) {
			t.Errorf("page by page: got %v, want %v", paged, want)
		}
	})
}

func TestWrongFilterOfListIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, query := range []string{
		"owner=0", "owner=me", "class=gold", "cas_type=cdsl", "provenance=true", "from=yesterday", "to=2026-02-30",
		"from=2026-02-01&to=2026-01-31", "active=1", "owner=" + strconv.Itoa(1<<40) + "0000000000000",
	} {
		if r := b.get("asha", "/v1/portfolios?"+query); r.status != http.StatusBadRequest {
			t.Errorf("%s: got %d %s, want 400", query, r.status, r.body)
		}
	}
}
