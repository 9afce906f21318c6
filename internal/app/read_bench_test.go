package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkReadLatest measures GET /v1/portfolios/latest of a statement with 36 rows, behind
// all middleware, without a network.
func BenchmarkReadLatest(b *testing.B) {
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
	var rows, folios []string
	for i := range 18 {
		rows = append(rows, fmt.Sprintf(`{"isin":"INE002A01018","name":"SAMPLE INDUSTRIES %d LIMITED","units":%d,"price":%d.55,"value":%d.75}`, i, 10+i, 1000+i, 12000+i))
		folios = append(folios, fmt.Sprintf(`{"folio_number":"10000%d/21","amc":"Sample Asset Management","schemes":[{"isin":"INF204K01562",
			"name":"Sample Fund %d - Direct Plan","units":%d.123,"nav":101.2345,"value":%d.25,"cost":%d.00}]}`, i, i, 40+i, 5000+i, 4000))
	}
	body := `{"meta":{"cas_type":"CDSL"},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},"demat_accounts":[{"dp_id":"12012345",
		"client_id":"00000001","holdings":{"equities":[` + strings.Join(rows, ",") + `]}}],"mutual_funds":[` + strings.Join(folios, ",") + `]}`
	if w := send(http.MethodPost, "/v1/portfolios", body); w.Code != http.StatusCreated {
		b.Fatal(w.Code, w.Body)
	}
	b.ReportAllocs()
	for b.Loop() {
		if w := send(http.MethodGet, "/v1/portfolios/latest", ""); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
