package portfolio_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// cas returns a statement of one person with these demat accounts and folios, as JSON.
func cas(issuer, to string, demat, folios []string) []byte {
	period := ""
	if to != "" {
		period = fmt.Sprintf(`,"statement_period":{"from":%q,"to":%q}`, to[:8]+"01", to)
	}
	return fmt.Appendf(nil, `{"meta":{"cas_type":%q%s},"investor":{"name":"ASHA EXAMPLE","pan":"AAAPZ9999A"},
		"demat_accounts":[%s],"mutual_funds":[%s]}`, issuer, period, strings.Join(demat, ","), strings.Join(folios, ","))
}

// dematOf returns a demat account, with its funds as JSON.
func dematOf(number string, funds ...string) string {
	return fmt.Sprintf(`{"bo_id":%q,"dp_name":"EXAMPLE BROKING","holdings":{"demat_mutual_funds":[%s]}}`, number, strings.Join(funds, ","))
}

func folioOf(number string, schemes ...string) string {
	return fmt.Sprintf(`{"folio_number":%q,"amc":"Example Mutual Fund","schemes":[%s]}`, number, strings.Join(schemes, ","))
}

// scheme returns a row of a folio or a demat account.
func scheme(number int, units, value string, inDemat bool) string {
	return fmt.Sprintf(`{"isin":%q,"name":"EXAMPLE FUND %d","units":%s,"value":%s,"additional_info":{"is_demat":%v}}`,
		isin(fmt.Sprintf("INF200K01A%d", number)), number, units, value, inDemat)
}

// saveAll saves statements of user one after another and returns the ids of the portfolios.
func (b *broker) saveAll(user string, payloads ...[]byte) (ids []string) {
	b.t.Helper()
	for _, payload := range payloads {
		ids = append(ids, b.save(user, payload).want(b.t, http.StatusCreated).ID)
	}
	return ids
}

func (b *broker) owned(user, query string) (a ownedAnswer) {
	b.t.Helper()
	b.read(user, "/v1/holdings"+query, &a)
	return a
}

func TestUserWithoutStatementsOwnsNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	got := b.get("asha", "/v1/holdings")
	want := `{"as_of":null,"oldest_as_of":null,"total_value":"0.00","currency":"INR","complete":true,"notices":[],"owners":[],` +
		`"classes":[],"accounts":[],"holdings":[],"next_cursor":null}`
	if string(got.body) != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	if got := string(b.get("asha", "/v1/accounts").body); got != `{"owners":[],"accounts":[],"next_cursor":null}` {
		t.Errorf("got the accounts %s", got)
	}
	var worth worthAnswer
	b.read("asha", "/v1/worth", &worth)
	if len(worth.Points) != 1 || worth.Points[0].Day != "2026-04-01" || worth.Points[0].Value != nil {
		t.Errorf("got the worth %+v, want one of today that is not known", worth)
	}
}

func TestAccountCountsOnceFromTheStatementThatCoversItLatest(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db)
		ids := b.saveAll("asha",
			cas("CAMS_KFINTECH", "2026-02-28", nil, []string{folioOf("5551/00", scheme(1, "11", "110", false)), folioOf("777", scheme(2, "1", "50", false))}),
			cas("CDSL", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, []string{folioOf("55 51", scheme(1, "10", "90", false))}),
		)
		got := b.owned("asha", "")
		if got.TotalValue != "460.00" || len(got.Accounts) != 3 || len(got.Holdings) != 3 || *got.OldestAsOf != "2026-01-31" {
			t.Errorf("got %s in %d accounts and %d rows, oldest as of %s; want 460.00 in 3 and 3, 2026-01-31",
				got.TotalValue, len(got.Accounts), len(got.Holdings), *got.OldestAsOf)
		}
		for _, r := range got.Holdings {
			want, asOf := ids[0], "2026-02-28"
			if r.Class == "demat_mutual_fund" {
				want, asOf = ids[1], "2026-01-31"
			}
			if r.PortfolioID != want || *r.AsOf != asOf || r.Owner != 1 || r.Provenance != "reported" || !strings.HasPrefix(r.ID, "ho_"+want[3:]) {
				t.Errorf("got %+v, want a row of %s as of %s", r, want, asOf)
			}
		}
		if got := b.owned("asha", "?as_of=2026-02-27"); got.TotalValue != "390.00" || len(got.Accounts) != 2 {
			t.Errorf("before the second statement: got %s in %d accounts, want 390.00 in 2", got.TotalValue, len(got.Accounts))
		}
		b.call("asha", http.MethodDelete, "/v1/portfolios/"+ids[0], nil)
		if got := b.owned("asha", ""); got.TotalValue != "390.00" {
			t.Errorf("after the delete: got %s, want 390.00", got.TotalValue)
		}
	})
}

func TestAccountThatALaterStatementNoLongerListsHasEnded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db)
		sold := folioOf("777", scheme(2, "1", "50", false))
		kept := func(value string) string { return folioOf("5551", scheme(1, "10", value, false)) }
		b.saveAll("asha",
			cas("CAMS_KFINTECH", "2025-12-31", nil, []string{kept("80"), sold}),
			cas("CDSL", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, nil),
		)
		if got := b.owned("asha", ""); got.TotalValue != "430.00" {
			t.Errorf("what another issuer does not list: got %s, want 430.00", got.TotalValue)
		}
		b.saveAll("asha", cas("CAMS_KFINTECH", "2026-03-31", nil, []string{kept("100")}), cas("CAMS_KFINTECH", "2026-02-28", nil, []string{kept("90")}))
		if got := b.owned("asha", ""); got.TotalValue != "400.00" || len(got.Accounts) != 2 {
			t.Errorf("got %s in %d accounts, want 400.00 in 2", got.TotalValue, len(got.Accounts))
		}
		var list struct{ Accounts []accountAnswer }
		b.read("asha", "/v1/accounts", &list)
		ended := 0
		for _, a := range list.Accounts {
			if a.EndedOn == nil {
				continue
			}
			if ended++; *a.EndedOn != "2026-02-28" || a.Value != nil || a.Rows != 0 || *a.AsOf != "2025-12-31" {
				t.Errorf("got %+v, want it to have ended on 2026-02-28 without a value", a)
			}
		}
		if len(list.Accounts) != 3 || ended != 1 {
			t.Errorf("got %d accounts, %d ended; want 3 and 1", len(list.Accounts), ended)
		}
		if got := b.owned("asha", "?as_of=2026-01-31"); got.TotalValue != "430.00" {
			t.Errorf("as of January: got %s, want 430.00", got.TotalValue)
		}
	})
}

func TestFundInADematAccountAndAFolioCountsOnce(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.saveAll("asha",
		cas("NSDL", "2026-02-28", []string{dematOf("IN30000010000031", scheme(1, "10", "100", false), scheme(2, "5", "40", false))}, nil),
		cas("CAMS_KFINTECH", "2026-01-31", nil, []string{folioOf("9", scheme(1, "9", "88", true)), folioOf("8", scheme(2, "7", "70", false))}),
	)
	if got := b.owned("asha", ""); got.TotalValue != "210.00" {
		t.Errorf("the folio is older: got %s, want 210.00", got.TotalValue)
	}
	b.saveAll("asha", cas("CAMS_KFINTECH", "2026-03-31", nil, []string{folioOf("9", scheme(1, "12", "130", true)), folioOf("8", scheme(2, "7", "75", false))}))
	if got := b.owned("asha", ""); got.TotalValue != "245.00" {
		t.Errorf("the folio is newer: got %s, want 245.00", got.TotalValue)
	}
}

func TestViewNamesWhatItsTotalsLack(t *testing.T) {
	t.Parallel()
	b := start(t)
	ids := b.saveAll("asha", []byte(`{"meta":{"cas_type":"CDSL"},"investor":{"name":"ASHA EXAMPLE","pan":"AAAPZ9999A"},"demat_accounts":[
		{"bo_id":"1208160000000025","value":500,"holdings":{"equities":[{"name":"A","units":1,"value":null},{"name":"B","units":1,"value":20}],"futures":[{"name":"C"}]}}],
		"nps":[{"pran":"110000000001","value":300,"funds":[]}]}`))
	got := b.owned("asha", "")
	var notices []string
	for _, n := range got.Notices {
		rows := 0
		if n.Rows != nil {
			rows = *n.Rows
		}
		notices = append(notices, fmt.Sprint(n.Code, " ", rows, " ", n.AccountID != nil))
		if n.PortfolioID != ids[0] {
			t.Errorf("got a notice of %s, want %s", n.PortfolioID, ids[0])
		}
	}
	want := "[rejected_rows 1 false no_period 0 false rows_without_value 1 true no_rows 0 true]"
	if fmt.Sprint(notices) != want || got.Complete || got.TotalValue != "320.00" || got.OldestAsOf != nil {
		t.Errorf("got %s, complete %v, total %s, oldest %v; want %s, false, 320.00, nil", notices, got.Complete, got.TotalValue, got.OldestAsOf, want)
	}
}

func TestFamilyInOneStatementHasThreeOwners(t *testing.T) {
	t.Parallel()
	payload, err := os.ReadFile(filepath.Join("testdata", "family-folios-in-one-mailback.json"))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t)
	b.saveAll("asha", payload)
	got := b.owned("asha", "")
	var values []string
	for _, o := range got.Owners {
		values = append(values, fmt.Sprint(o.Number, " ", o.Value, " ", o.Accounts))
	}
	if want := "[1 5000.00 1 2 12000.00 1 3 21000.00 1]"; fmt.Sprint(values) != want || got.TotalValue != "38000.00" {
		t.Errorf("got %s of %s, want %s of 38000.00", values, got.TotalValue, want)
	}
	if got := b.owned("asha", "?owner=2"); got.TotalValue != "12000.00" || len(got.Owners) != 1 || len(got.Holdings) != 1 || got.Holdings[0].Owner != 2 {
		t.Errorf("of the second: got %+v", got)
	}
}

func TestHoldingsAreSelectedByOwnerClassAccountAndStatement(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.saveAll("asha",
		cas("CDSL", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, []string{folioOf("5551", scheme(1, "10", "90", false))}),
		cas("CAMS_KFINTECH", "2026-02-28", nil, []string{folioOf("5551", scheme(1, "10", "100", false))}),
	)
	all := b.owned("asha", "")
	for query, want := range map[string]string{
		"?class=mutual_fund": "100.00", "?class=equity": "0.00", "?account=" + all.Accounts[0].ID: *all.Accounts[0].Value,
		"?cas_type=CDSL": "390.00", "?provenance=verified": "0.00", "?provenance=reported&owner=1&class=demat_mutual_fund": "300.00",
	} {
		if got := b.owned("asha", query); got.TotalValue != want {
			t.Errorf("%s: got %s, want %s", query, got.TotalValue, want)
		}
	}
}

func TestHoldingsArePagedWithTheTotalsOfAll(t *testing.T) {
	t.Parallel()
	b := start(t)
	statement := func(to string, last string) []byte {
		return cas("CAMS_KFINTECH", to, nil, []string{folioOf("5551", scheme(1, "10", "1", false), scheme(2, "10", "2", false), scheme(3, "1", last, false))})
	}
	b.saveAll("asha", statement("2026-01-31", "3"))
	first := b.owned("asha", "?limit=2")
	if len(first.Holdings) != 2 || first.TotalValue != "6.00" || first.NextCursor == nil {
		t.Fatalf("got %+v, want two rows, 6.00 and a cursor", first)
	}
	second := b.owned("asha", "?limit=2&cursor="+*first.NextCursor)
	if len(second.Holdings) != 1 || *second.Holdings[0].Value != "3.00" || second.TotalValue != "6.00" || second.NextCursor != nil {
		t.Errorf("got %+v, want the last row, 6.00 and no cursor", second)
	}
	b.saveAll("asha", statement("2026-02-28", "4"))
	r := b.get("asha", "/v1/holdings?cursor="+*first.NextCursor).want(t, http.StatusBadRequest)
	if r.Code != "invalid_cursor" || !strings.Contains(r.Detail, "changed") {
		t.Errorf("after a change: got %s %q, want invalid_cursor and why", r.Code, r.Detail)
	}
}

func TestHoldingsAsCSVSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	b := start(t)
	ids := b.saveAll("asha", cas("CDSL", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, nil))
	r := b.call("asha", http.MethodGet, "/v1/holdings?format=csv", nil)
	lines, err := csv.NewReader(strings.NewReader(string(r.body))).ReadAll()
	if err != nil || r.status != http.StatusOK || r.header.Get("Content-Disposition") != `attachment; filename="holdings.csv"` {
		t.Fatalf("got %d %v %s, %v", r.status, r.header, r.body, err)
	}
	account := b.owned("asha", "").Accounts[0].ID
	want := fmt.Sprint([]string{"1", account, ids[0], "2026-01-31", "reported", "ho_" + ids[0][3:] + "_0", "demat_mutual_fund"})
	if len(lines) != 2 || fmt.Sprint(lines[1][:7]) != want || strings.Join(lines[0][:7], ",") != "owner,account_id,portfolio_id,as_of,provenance,id,class" {
		t.Errorf("got %q, want a line of %s", lines, want)
	}
	if r := b.get("asha", "/v1/holdings?format=csv&limit=3").want(t, http.StatusBadRequest); r.Code != "invalid_query" {
		t.Errorf("a page of a table: got %s, want invalid_query", r.Code)
	}
}

func TestAccountHasTheHistoryOfItsStatements(t *testing.T) {
	t.Parallel()
	b := start(t)
	ids := b.saveAll("asha",
		cas("CAMS_KFINTECH", "2026-02-28", nil, []string{folioOf("5551", scheme(1, "10", "100", false))}),
		cas("CDSL", "2026-01-31", nil, []string{folioOf("5551", scheme(1, "10", "90", false))}),
	)
	var got accountAnswer
	b.read("asha", "/v1/accounts/"+b.owned("asha", "").Accounts[0].ID, &got)
	if len(got.Statements) != 2 || got.Statements[0].PortfolioID != ids[0] || !got.Statements[0].Counts || got.Statements[1].Counts ||
		got.Statements[0].Value != "100.00" || got.Statements[1].Value != "90.00" || *got.Value != "100.00" || got.Kind != "folio" {
		t.Errorf("got %+v, want the statements of %v, of which the first counts", got, ids)
	}
	for _, id := range []string{"ac_01kf0a6v3m9t2w8x4y5z7b1c2d", "ac_", "x"} {
		if r := b.get("asha", "/v1/accounts/"+id).want(t, http.StatusNotFound); r.Code != "account_not_found" {
			t.Errorf("%s: got %s, want account_not_found", id, r.Code)
		}
	}
	if r := b.get("ravi", "/v1/accounts/"+got.ID).want(t, http.StatusNotFound); r.Code != "account_not_found" {
		t.Errorf("another user: got %s, want account_not_found", r.Code)
	}
}

func TestStatementSaysWhatHasChanged(t *testing.T) {
	t.Parallel()
	b := start(t)
	ids := b.saveAll("asha",
		cas("CAMS_KFINTECH", "2026-01-31", nil, []string{
			folioOf("5551", scheme(1, "10", "90", false), scheme(2, "4", "40", false), scheme(4, "1", "7", false)), folioOf("777", scheme(3, "5", "50", false)),
		}),
		cas("CAMS_KFINTECH", "2026-02-28", nil, []string{folioOf("5551", scheme(1, "11.5", "100", false), scheme(4, "1", "7", false), scheme(5, "2", "20", false))}),
	)
	var got struct {
		Changes []struct {
			Change            string
			ISIN              string
			HoldingID         *string `json:"holding_id"`
			PreviousHoldingID *string `json:"previous_holding_id"`
			Units, Value      struct{ Before, After, Change *string }
		}
		Accounts []struct {
			PreviousPortfolioID *string `json:"previous_portfolio_id"`
			Ended               bool
		}
		Unchanged int
		Value     struct{ Before, After, Change string }
	}
	b.read("asha", "/v1/portfolios/"+ids[1]+"/changes", &got)
	encoded, err := json.Marshal(got.Changes)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Changes) != 4 || got.Unchanged != 1 || fmt.Sprint(got.Value) != "{187.00 127.00 -60.00}" || len(got.Accounts) != 2 {
		t.Errorf("got %s, %d unchanged, %v", encoded, got.Unchanged, got.Value)
	}
	kinds := map[string]int{}
	for _, c := range got.Changes {
		kinds[c.Change]++
		switch c.Change {
		case "changed":
			if *c.Units.Before != "10" || *c.Units.After != "11.5" || *c.Units.Change != "1.5" || *c.Value.Change != "10.00" || c.HoldingID == nil || c.PreviousHoldingID == nil {
				t.Errorf("got %s", encoded)
			}
		case "new":
			if c.PreviousHoldingID != nil || c.Units.Change != nil || *c.Value.After != "20.00" {
				t.Errorf("got %s", encoded)
			}
		case "gone":
			if c.HoldingID != nil || c.Value.After != nil {
				t.Errorf("got %s", encoded)
			}
		}
	}
	if kinds["changed"] != 1 || kinds["new"] != 1 || kinds["gone"] != 2 {
		t.Errorf("got %v, want one changed, one new, two gone", kinds)
	}
	b.read("asha", "/v1/portfolios/"+ids[0]+"/changes", &got)
	if got.Value.Before != "0.00" || len(got.Changes) != 4 || got.Accounts[0].PreviousPortfolioID != nil {
		t.Errorf("of the first statement: got %+v, want everything to be new", got)
	}
	if r := b.get("ravi", "/v1/portfolios/"+ids[0]+"/changes").want(t, http.StatusNotFound); r.Code != "portfolio_not_found" {
		t.Errorf("another user: got %s, want portfolio_not_found", r.Code)
	}
}

// worthAnswer is the answer of GET /v1/worth.
type worthAnswer struct {
	Points []struct {
		Day     string
		Value   *string
		Classes map[string]string
	}
}

func TestWorthOverTimeIsByClass(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.saveAll("asha",
		cas("CAMS_KFINTECH", "2025-12-31", nil, []string{folioOf("5551", scheme(1, "10", "90", false))}),
		cas("CDSL", "2026-02-28", []string{dematOf("1208160000000025", scheme(3, "3", "300", false))}, nil),
	)
	var got worthAnswer
	b.read("asha", "/v1/worth?from=2025-11-01&interval=month", &got)
	var points []string
	for _, p := range got.Points {
		value := "unknown"
		if p.Value != nil {
			value = *p.Value
		}
		points = append(points, fmt.Sprint(p.Day, " ", value, " ", p.Classes))
	}
	want := "2025-11-30 unknown map[], 2025-12-31 90.00 map[mutual_fund:90.00], 2026-01-31 90.00 map[mutual_fund:90.00], " +
		"2026-02-28 390.00 map[demat_mutual_fund:300.00 mutual_fund:90.00], 2026-03-31 390.00 map[demat_mutual_fund:300.00 mutual_fund:90.00], " +
		"2026-04-01 390.00 map[demat_mutual_fund:300.00 mutual_fund:90.00]"
	if got := strings.Join(points, ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWrongParametersOfWhatAUserOwnsAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	ids := b.saveAll("asha", minimal("Fund"))
	for path, code := range map[string]string{
		"/v1/holdings?subject=x": "invalid_query", "/v1/holdings?owner=0": "invalid_query", "/v1/holdings?owner=one": "invalid_query",
		"/v1/holdings?class=stocks": "invalid_query", "/v1/holdings?as_of=31-03-2026": "invalid_query", "/v1/holdings?as_of=2026-02-30": "invalid_query",
		"/v1/holdings?as_of=2026-04-02": "invalid_query", "/v1/holdings?as_of=2036-01-01&format=csv": "invalid_query", "/v1/accounts?as_of=2026-04-02": "invalid_query",
		"/v1/holdings?account=1": "invalid_query", "/v1/holdings?provenance=trusted": "invalid_query", "/v1/holdings?cas_type=cdsl": "invalid_query",
		"/v1/holdings?format=xml": "invalid_query", "/v1/holdings?limit=1001": "invalid_limit", "/v1/holdings?cursor=x": "invalid_cursor",
		"/v1/holdings?owner=1&owner=2": "invalid_query", "/v1/accounts?class=equity": "invalid_query", "/v1/accounts/ac_01kf0a6v3m9t2w8x4y5z7b1c2d?x=": "invalid_query",
		"/v1/worth?interval=day": "invalid_query", "/v1/worth?from=2026-03-01&to=2026-02-01": "invalid_query", "/v1/worth?to=2036-01-01": "invalid_query",
		"/v1/worth?from=1950-01-01": "invalid_query", "/v1/worth?as_of=2026-01-01": "invalid_query", "/v1/portfolios/" + ids[0] + "/changes?x=1": "invalid_query",
	} {
		if r := b.get("asha", path).want(t, http.StatusBadRequest); r.Code != code {
			t.Errorf("%s: got %s, want %s", path, r.Code, code)
		}
	}
	if r := b.get("asha", "/v1/holdings?as_of=2026-04-01"); r.status != http.StatusOK { // today
		t.Errorf("as of today: got %d %s, want 200", r.status, r.body)
	}
	for path, code := range map[string]string{
		"/v1/holdings?owner=7": "owner_not_found", "/v1/holdings?account=ac_01kf0a6v3m9t2w8x4y5z7b1c2d": "account_not_found", "/v1/worth?owner=2": "owner_not_found",
		"/v1/accounts?owner=2": "owner_not_found",
	} {
		if r := b.get("asha", path).want(t, http.StatusNotFound); r.Code != code {
			t.Errorf("%s: got %s, want %s", path, r.Code, code)
		}
	}
}

func TestFundOfADematAccountCountsEvenIfItIsMarkedAsDemat(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.saveAll("asha",
		cas("CDSL", "2026-01-31", []string{dematOf("1208160000000025", scheme(3, "3", "300", true))}, nil),
		cas("CAMS_KFINTECH", "2025-12-31", nil, []string{folioOf("5551", scheme(3, "3", "290", true))}),
	)
	if got := b.owned("asha", ""); got.TotalValue != "300.00" || len(got.Holdings) != 1 || got.Holdings[0].Class != "demat_mutual_fund" {
		t.Errorf("got %s of %+v, want 300.00, the row of the demat account", got.TotalValue, got.Holdings)
	}
}

func TestOwnerWhomNoStatementNamesHasItsNumber(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.saveAll("asha", []byte(`{"meta":{"cas_type":"CAMS_KFINTECH"},"mutual_funds":[`+folioOf("5551", scheme(1, "10", "90", false))+`]}`))
	for _, path := range []string{"/v1/holdings", "/v1/accounts", "/v1/portfolios/latest"} {
		var got struct{ Owners []owner }
		b.read("asha", path, &got)
		if len(got.Owners) != 1 || got.Owners[0].Number != 1 || got.Owners[0].Name != nil || got.Owners[0].PANMasked != nil {
			t.Errorf("%s: got %+v, want owner 1 without name and PAN", path, got.Owners)
		}
	}
	lines, err := csv.NewReader(bytes.NewReader(b.get("asha", "/v1/holdings?format=csv").body)).ReadAll()
	if err != nil || len(lines) != 2 || lines[0][0] != "owner" || lines[1][0] != "1" {
		t.Errorf("got %v, %v, want a row of owner 1", lines, err)
	}
}
