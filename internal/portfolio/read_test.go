package portfolio_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestPortfoliosArePagedNewestFirst(t *testing.T) {
	t.Parallel()
	b := start(t)
	if got := string(b.get("asha", "/v1/portfolios").body); got != `{"portfolios":[],"next_cursor":null}` {
		t.Errorf("before anything was saved: %s", got)
	}
	var want []string
	for i := range 5 {
		want = append([]string{b.save("asha", minimal(fmt.Sprint("Fund ", i))).want(t, http.StatusCreated).ID}, want...)
	}
	var got []string
	path := "/v1/portfolios?limit=2"
	for path != "" {
		var page struct {
			Portfolios []shown `json:"portfolios"`
			NextCursor *string `json:"next_cursor"`
		}
		r := b.get("asha", path)
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, r.status, r.body)
		}
		for _, p := range page.Portfolios {
			got = append(got, p.ID)
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios?limit=2&cursor=" + *page.NextCursor
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHoldingsArePagedInTheOrderOfTheStatement(t *testing.T) {
	t.Parallel()
	b := start(t)
	saved := b.save("asha", []byte(`{"meta":{"cas_type":"NSDL"},"nps":[{"funds":[
		{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"}]}]}`)).want(t, http.StatusCreated)
	var names []string
	ids := map[string]bool{}
	path := "/v1/portfolios/" + saved.ID + "/holdings?limit=2"
	for path != "" {
		var page struct {
			Holdings   []row   `json:"holdings"`
			NextCursor *string `json:"next_cursor"`
		}
		r := b.get("asha", path)
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, r.status, r.body)
		}
		for _, h := range page.Holdings {
			names = append(names, h.Name)
			ids[h.ID] = true
		}
		if path = ""; page.NextCursor != nil {
			path = "/v1/portfolios/" + saved.ID + "/holdings?limit=2&cursor=" + *page.NextCursor
		}
	}
	if fmt.Sprint(names) != "[a b c d e]" || len(ids) != 5 {
		t.Errorf("got %v with %d ids", names, len(ids))
	}
}

func TestInvalidQueryIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	coded := func(s string) string { return "cursor=" + base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for query, code := range map[string]string{
		"limit=0": "invalid_limit", "limit=1001": "invalid_limit", "limit=x": "invalid_limit", "limit=1e1": "invalid_limit",
		"cursor=***": "invalid_cursor", "cursor=AB": "invalid_cursor", coded("x"): "invalid_cursor",
		coded("-1"): "invalid_cursor", coded("99999999999999999999 " + id): "invalid_cursor",
		"limit=%zz": "invalid_query", "limit=5&limit=6": "invalid_query", "limit=5;cursor=x": "invalid_query", "a=%": "invalid_query",
		coded("1 pf_x"): "invalid_cursor", coded("9999999999"): "invalid_cursor",
	} {
		for _, path := range []string{"/v1/portfolios?", "/v1/portfolios/" + id + "/holdings?", "/v1/portfolios/" + id + "/transactions?"} {
			if got := b.get("asha", path+query).want(t, http.StatusBadRequest); got.Code != code {
				t.Errorf("%s%s: got %s", path, query, got.Code)
			}
		}
	}
	for _, active := range []string{"yes", "1", "TRUE", "true&active=true"} {
		if got := b.get("asha", "/v1/portfolios?active="+active).want(t, http.StatusBadRequest); got.Code != "invalid_query" {
			t.Errorf("active=%s: %s", active, got.Code)
		}
	}
	for _, query := range []string{"limit=1", "limit=100", "", "active=false", "active=true", "active="} {
		b.get("asha", "/v1/portfolios?"+query).want(t, http.StatusOK)
	}
}

func TestLatestPortfolioIsTheOneWhosePeriodEndsLast(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.get("asha", "/v1/portfolios/latest").want(t, http.StatusNotFound)
	march := b.save("asha", minimal("Fund")).want(t, http.StatusCreated)
	b.save("asha", []byte(strings.ReplaceAll(string(minimal("Fund")), "2026-03-", "2026-01-"))).want(t, http.StatusCreated)
	if got := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusOK); got.ID != march.ID || len(got.Rows) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestPortfolioOfAnotherUserIsNotFound(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	for _, path := range []string{
		"/v1/portfolios/" + id, "/v1/portfolios/" + id + "/holdings", "/v1/portfolios/" + id + "/transactions",
		"/v1/portfolios/" + id + "/raw", "/v1/portfolios/latest",
	} {
		if got := b.get("ravi", path).want(t, http.StatusNotFound); got.Code != "portfolio_not_found" {
			t.Errorf("%s: got %s", path, got.Code)
		}
	}
	b.call("ravi", http.MethodDelete, "/v1/portfolios/"+id, nil).want(t, http.StatusNotFound)
	for _, id := range []string{
		"pf_01kf0a6v3m9t2w8x4y5z7b1c2d", "pf_", "x", "%27%20OR%201=1", strings.ToUpper(id), "pf_%00", "gr_" + id[3:],
	} {
		for _, path := range []string{"", "/holdings", "/transactions", "/raw"} {
			b.get("asha", "/v1/portfolios/"+id+path).want(t, http.StatusNotFound)
		}
		b.call("asha", http.MethodDelete, "/v1/portfolios/"+id, nil).want(t, http.StatusNotFound)
	}
	b.get("asha", "/v1/portfolios/"+id).want(t, http.StatusOK)
}

func TestDeletedPortfolioIsNotFoundAnywhere(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	b.call("asha", http.MethodDelete, "/v1/portfolios/"+id, nil).want(t, http.StatusNoContent)
	for _, path := range []string{"/" + id, "/" + id + "/holdings", "/" + id + "/transactions", "/" + id + "/raw", "/latest"} {
		b.get("asha", "/v1/portfolios"+path).want(t, http.StatusNotFound)
	}
	b.call("asha", http.MethodDelete, "/v1/portfolios/"+id, nil).want(t, http.StatusNotFound)
	if again := b.save("asha", minimal("Fund")).want(t, http.StatusCreated); again.ID == id {
		t.Error("the id was reused")
	}
}

func TestRawPayloadIsReturnedByteForByte(t *testing.T) {
	t.Parallel()
	b := start(t)
	payload := []byte("\n{ \"data\" : " + string(minimal("Fund \\u0041")) + ",\t\"metadata\":{\"unknown\":1.00} }\r\n")
	saved := b.save("asha", payload).want(t, http.StatusCreated)
	r := b.get("asha", "/v1/portfolios/"+saved.ID+"/raw")
	if string(r.body) != string(payload) || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %q as %s", r.body, r.header.Get("Content-Type"))
	}
}
