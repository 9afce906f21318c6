package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkReadOwned measures GET /v1/holdings of a user with 24 monthly statements of 100
// rows, half of them in a demat account and each other in a folio, behind all middleware,
// without a network.
func BenchmarkReadOwned(b *testing.B) {
	a := quiet(b)
	authorization := []string{"Bearer " + bearer(b, "asha")}
	send := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
		r.Header["Authorization"] = authorization
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w
	}
	for month := range 24 {
		var equities, folios []string
		for i := range 50 {
			equities = append(equities, fmt.Sprintf(`{"isin":"INE002A01018","name":"SAMPLE INDUSTRIES %d LIMITED","units":%d,"price":%d.55,"value":%d.75}`, i, 10+i, 1000+i, 12000+i+month))
			folios = append(folios, fmt.Sprintf(`{"folio_number":"1000%02d/21","amc":"Sample Asset Management","registrar":"CAMS","schemes":[{"isin":"INF200K01RJ1",
				"name":"Sample Flexi Cap Fund %d - Direct Plan - Growth","type":"Equity","units":%d.123,"nav":101.2345,"value":%d.25,"cost":4000.00,"gain":{"absolute":%d.25}}]}`,
				i, i, 40+i, 5000+i+month, 1000+i))
		}
		period := fmt.Sprintf("%d-%02d", 2024+month/12, 1+month%12)
		body := fmt.Sprintf(`{"meta":{"cas_type":"CDSL","statement_period":{"from":"%s-01","to":"%s-28"}},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
			"demat_accounts":[{"dp_id":"12012345","client_id":"00000001","holdings":{"equities":[%s]}}],"mutual_funds":[%s]}`,
			period, period, strings.Join(equities, ","), strings.Join(folios, ","))
		if w := send(http.MethodPost, "/v1/portfolios", body); w.Code != http.StatusCreated {
			b.Fatal(w.Code, w.Body)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if w := send(http.MethodGet, "/v1/holdings", ""); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
