package portfolio_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// holdingsCSV reads the holdings of a portfolio as CSV and returns its lines.
func (b *broker) holdingsCSV(user, id string) [][]string {
	b.t.Helper()
	r := b.call(user, http.MethodGet, "/v1/portfolios/"+id+"/holdings?format=csv", nil)
	if r.status != http.StatusOK {
		b.t.Fatalf("got %d: %s", r.status, r.body)
	}
	lines, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
	if err != nil {
		b.t.Fatalf("%v in %q", err, r.body)
	}
	return lines
}

func TestFormatParameterOrAcceptHeaderSelectsCSV(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	const asJSON, asCSV = "application/json", "text/csv; charset=utf-8; header=present"
	for _, c := range []struct{ query, accept, want string }{
		{"", "", asJSON},
		{"", "*/*", asJSON},
		{"", "application/json", asJSON},
		{"", "text/plain", asJSON},
		{"", "text/html,*/*;q=0.8", asJSON},
		{"", ",,;text/", asJSON},
		{"", "text/csv", asCSV},
		{"", "TEXT/CSV", asCSV},
		{"", "text/csv;header=present", asCSV},
		{"", "text/csv, */*;q=0.1", asCSV},
		{"", "application/json;q=0.5, text/csv", asCSV},
		{"?format=csv", "", asCSV},
		{"?format=csv", "application/json", asCSV},
		{"?format=json", "", asJSON},
		{"?format=json", "text/csv", asJSON},
		{"?format=json&limit=5", "text/csv", asJSON},
		{"?format=", "", asJSON},
		{"?format=", "text/csv", asCSV},
	} {
		var headers []string
		if c.accept != "" {
			headers = []string{"Accept", c.accept}
		}
		disposition := ""
		if c.want == asCSV {
			disposition = `attachment; filename="holdings-` + id + `.csv"`
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := b.call("asha", method, "/v1/portfolios/"+id+"/holdings"+c.query, nil, headers...)
			if r.status != http.StatusOK || r.header.Get("Content-Type") != c.want || !slices.Contains(r.header["Vary"], "Accept") ||
				r.header.Get("Content-Disposition") != disposition || (len(r.body) == 0) != (method == http.MethodHead) {
				t.Errorf("%s %q with Accept %q: got %d, %v and %d bytes, want %s", method, c.query, c.accept, r.status, r.header, len(r.body), c.want)
			}
		}
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	for _, query := range []string{"format=xml", "format=CSV", "format=text%2Fcsv", "format=csv&format=csv"} {
		path := "/v1/portfolios/" + id + "/holdings?" + query
		if got := b.call("asha", http.MethodGet, path, nil, "Accept", "text/csv").want(t, http.StatusBadRequest); got.Code != "invalid_query" {
			t.Errorf("%s: got code %s, want invalid_query", query, got.Code)
		}
	}
}

func TestCSVHasTheSameValuesAsJSON(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", []byte(`{"cas_type":"CAMS","mutual_funds":[{"folio_number":"0001/9","amc":"Example AMC","schemes":[
		{"name":"Loss","isin":"INF123456784","type":"Equity","units":1.5,"nav":10,"value":15,"cost":20,"gain":{"absolute":-5.5}},
		{"name":"Nothing said"}]},{"folio_number":"2","schemes":[`+strings.Repeat(`{"name":"F","units":12345678901234567890.123},`, 120)+`
		{"name":"Last","units":0}]}]}`)).want(t, http.StatusCreated).ID
	lines := b.holdingsCSV("asha", id)
	var whole struct {
		Rows []members `json:"rows"`
	}
	if err := json.Unmarshal(b.get("asha", "/v1/portfolios/"+id).body, &whole); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 124 || len(whole.Rows) != 123 {
		t.Fatalf("got %d lines for %d holdings, want 124 for 123", len(lines), len(whole.Rows))
	}
	for i, line := range lines[1:] {
		for j, name := range lines[0] {
			want := ""
			if said := whole.Rows[i][name]; said != nil {
				want = *said
			}
			if line[j] != want {
				t.Errorf("line %d: %s is %q, want %q", i, name, line[j], want)
			}
		}
		if len(whole.Rows[i]) != len(line) {
			t.Errorf("line %d has %d of %d fields", i, len(line), len(whole.Rows[i]))
		}
	}
	if gain := lines[1][11]; gain != "-5.50" {
		t.Errorf("got the loss %q, want -5.50", gain)
	}
}

func TestCSVFollowsRFC4180(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("A, \"B\"\nC")).want(t, http.StatusCreated).ID
	r := b.call("asha", http.MethodGet, "/v1/portfolios/"+id+"/holdings", nil, "Accept", "text/csv")
	accountID := b.get("asha", "/v1/portfolios/"+id).want(t, http.StatusOK).Accounts[0].ID
	want := "id,class,isin,name,account,institution,category,units,price,value,cost,gain,sum_assured,account_id,owner\r\n" +
		"ho_" + id[3:] + `_0,nps,,"A, ""B"" C",990000000091,,,1.5,,10.10,,,,` + accountID + ",1\r\n"
	if string(r.body) != want {
		t.Errorf("got %q, want %q", r.body, want)
	}
}

func TestCSVHasNoPages(t *testing.T) {
	t.Parallel()
	b := start(t)
	id := b.save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	for _, query := range []string{"limit=5", "cursor=MQ", "limit=", "a=%"} {
		got := b.call("asha", http.MethodGet, "/v1/portfolios/"+id+"/holdings?"+query, nil, "Accept", "text/csv").want(t, http.StatusBadRequest)
		if got.Code != "invalid_query" {
			t.Errorf("%s: got %s", query, got.Code)
		}
	}
	r := b.call("ravi", http.MethodGet, "/v1/portfolios/"+id+"/holdings", nil, "Accept", "text/csv")
	if got := r.want(t, http.StatusNotFound); got.Code != "portfolio_not_found" || r.header.Get("Content-Disposition") != "" {
		t.Errorf("another user: got %s, %v", got.Code, r.header)
	}
}

// hostile maps names that may be in a statement to their text in the CSV.
var hostile = map[string]string{
	`<img src=x onerror=alert(1)>`:       `<img src=x onerror=alert(1)>`,
	`'); DROP TABLE holdings; --`:        `'); DROP TABLE holdings;' --`,
	`=HYPERLINK("http://x.example","y")`: `'=HYPERLINK("http://x.example","y")`,
	`+1+cmd|' /C calc'!A0`:               `'+1+cmd|' /C calc'!A0`,
	`-2+3`:                               `'-2+3`,
	`@SUM(A1:A9)`:                        `'@SUM(A1:A9)`,
	"\t=1":                               "' =1",
	"\r\n =1":                            "'   =1",
	"\u00a0=1":                           "'\u00a0=1",
	"\u200b\ufeff=1":                     "'\u200b\ufeff=1",
	"\u3164=1":                           "'\u3164=1",
	"\u202e=1":                           "'=1",
	"\uff1d1":                            "'\uff1d1",
	"\uff20A1":                           "'\uff20A1",
	"x;=1":                               "x;'=1",
	"a\u202eb\u2066c\u2069d\u200ee\u200ff\u061cg": "abcdefg",
	"a\x01b\x7fc\u0085d\u2028e":                   "abc d e",
	"क\u094d\u200dष \u200cA 💰":                    "क\u094d\u200dष \u200cA 💰",
	"Fund - Growth = good @ 5% + more":            "Fund - Growth = good @ 5% + more",
	` "quoted", and 'so'`:                         ` "quoted", and 'so'`,
	`'=1`:                                         `'=1`,
	"a\r\nb\nc":                                   "a  b c",
}

func TestNamesAreExactInJSONAndEscapedInCSV(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, want := range hostile {
		quoted, _ := json.Marshal(name)
		payload := fmt.Sprintf(`{"cas_type":"CAMS","mutual_funds":[{"amc":%[1]s,"folio_number":%[1]s,"schemes":[{"name":%[1]s}]}]}`, quoted)
		id := b.save("asha", []byte(payload)).want(t, http.StatusCreated).ID
		line := b.holdingsCSV("asha", id)[1]
		if line[3] != want || line[4] != want || line[5] != want {
			t.Errorf("%q: the CSV has %q, want %q", name, line[3:6], want)
		}
		row := b.get("asha", "/v1/portfolios/"+id).want(t, http.StatusOK).Rows[0]
		if row.Name != name || *row.Account != name {
			t.Errorf("%q: JSON has %+v", name, row)
		}
	}
}

func TestTransactionsComeInLongPagesAndAsCSV(t *testing.T) {
	t.Parallel()
	b := start(t)
	lines := strings.TrimSuffix(strings.Repeat(`{"date":"2026-03-01","type":"PURCHASE","description":"=SIP, of Asha","units":"1,000.50"},`, 1100), ",")
	id := b.save("asha", []byte(`{"meta":{"cas_type":"CAMS"},"mutual_funds":[{"schemes":[{"name":"A","transactions":[`+lines+`]},
		{"name":"B","transactions":[{"type":"MISC","amount":"(2.5)"}]}]}]}`)).want(t, http.StatusCreated).ID
	path := "/v1/portfolios/" + id + "/transactions"
	if got := len(b.transactions("asha", id, 1000, "")); got != 1101 {
		t.Errorf("got %d transactions in pages of 1000, want 1101", got)
	}
	b.get("asha", path+"?limit=1001").want(t, http.StatusBadRequest)
	for query, want := range map[string]int{"?format=csv": 1102, "?format=csv&holding=" + strings.Replace(id, "pf_", "ho_", 1) + "_1": 2} {
		r := b.call("asha", http.MethodGet, path+query, nil)
		got, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
		if r.status != http.StatusOK || err != nil || len(got) != want || len(got[0]) != 9 || got[0][4] != "description" {
			t.Fatalf("%s: got %d, %v and %d lines, want %d", query, r.status, err, len(got), want)
		}
		last := got[want-1]
		if last[3] != "MISC" || last[7] != "-2.50" || last[4] != "" || last[1] != strings.Replace(id, "pf_", "ho_", 1)+"_1" {
			t.Errorf("%s: got %q as the last line", query, last)
		}
		if want > 2 && (got[1][4] != "'=SIP, of Asha" || got[1][5] != "1000.5") {
			t.Errorf("%s: got %q as the first line", query, got[1])
		}
	}
	for _, query := range []string{"?format=csv&limit=5", "?format=csv&cursor=x", "?format=xml", "?format=csv&holding=ho_1"} {
		b.get("asha", path+query).want(t, http.StatusBadRequest)
	}
}
