package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// save saves a statement for a demo user without a browser.
func (s *demoApp) save(t *testing.T, user, payload string) {
	t.Helper()
	var session struct {
		JWT string `json:"jwt"`
	}
	s.post(t, "/demo/sign-in", fmt.Sprintf(`{"user":%q}`, user), "", &session)
	s.post(t, "/v1/portfolios", payload, session.JWT, nil)
}

func (s *demoApp) post(t *testing.T, path, body, jwt string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(res.Body); err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s: got %d: %s, %v", path, res.StatusCode, answer.Bytes(), err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

// enter opens the page and signs in a user who has statements.
func (b *tab) enter(url, user string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(on("user-"+user)), chromedp.Click(on("user-"+user)), chromedp.WaitVisible(on("total")))
}

// texts returns the texts of all elements with this data-testid.
func (b *tab) texts(id string) []string {
	b.t.Helper()
	return read(b, chromedp.Evaluate[[]string](fmt.Sprintf(`[...document.querySelectorAll("[data-testid=%s]")].map((n) => n.textContent)`, id)))
}

// downloaded clicks and returns the name and the text of the downloaded file.
func (b *tab) downloaded(id string) (name, text string) {
	b.t.Helper()
	b.do(
		chromedp.Evaluate[chromedp.Void](`(() => {
			globalThis.kept = [];
			URL.createObjectURL = (blob) => { blob.text().then((text) => kept.push(text)); return "blob:kept"; };
			HTMLAnchorElement.prototype.click = function () { kept.push(this.download); };
		})()`),
		chromedp.Click(on(id), chromedp.NodeVisible), until(`kept.length === 2`),
	)
	file := read(b, chromedp.Evaluate[[]string](`kept`))
	return file[0], file[1]
}

// statementJSON returns a statement of this month with holdings.
func statementJSON(issuer, pan, month, holdings string) string {
	return fmt.Sprintf(`{"data":{"meta":{"cas_type":%q,"statement_period":{"from":"2026-%[3]s-01","to":"2026-%[3]s-28"}},
		"investor":{"name":"Asha <b>\u202eExample","pan":%[2]q},"mutual_funds":[{"folio_number":"91/0","amc":"Example AMC","schemes":%[4]s}]},"metadata":{}}`,
		issuer, pan, month, holdings)
}

func TestPageShowsWhichStatementCountsAndWhoseItIs(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	const holdings = `[{"name":"Example Flexi Cap","units":1,"value":10},null,{}]`
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "02", holdings))
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", holdings))
	shop.save(t, "asha", statementJSON("CAMS", "BBBPZ9999B", "01", holdings))
	b := openTab(t, desktop)
	b.enter(shop.URL, "asha")
	for _, l := range []display{desktop, {"phone-dark", 360, 740, "dark"}} {
		if l != b.look {
			b.change(l)
			b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
		}
		if entries, active := b.texts("statement"), b.texts("active"); len(entries) != 3 || len(active) != 2 ||
			strings.Contains(entries[1], "Active") || !strings.Contains(entries[0], "Another person") {
			t.Errorf("got the list %q", entries)
		}
		b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
		has(t, read(b, chromedp.Text(on("status"))), "Active")
		has(t, read(b, chromedp.Text(on("owner"))), "Another person")
		has(t, read(b, chromedp.Text(on("other-person"))), "other than that of most of your statements", "not added to yours")
		has(t, read(b, chromedp.Text(on("rejected"))), "2 rows of 3 could not be saved", "/data/mutual_funds/0/schemes/1")
		b.screenshot("5-other-owner")
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("[data-testid=statement]")[1].click()`),
			until(`document.querySelector("[data-testid=status]")?.textContent === "History"`))
		if flags := b.texts("owner"); len(flags) != 0 {
			t.Errorf("got the flags %q of the user's own statement", flags)
		}
		b.wantNoErrors()
	}
}

func TestPageShowsHostileNamesAsText(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	names := []string{
		`<img src=x onerror="globalThis.owned = true">`, `</th><script>globalThis.owned = true</script>`, "\u202eevil\u2066 name",
		`=HYPERLINK("http://x.example")`, `'; DROP TABLE holdings; --`, `{{constructor.constructor("owned=true")()}}`, "line\nbreak",
	}
	var rows []string
	for i, name := range names {
		quoted, _ := json.Marshal(name)
		rows = append(rows, fmt.Sprintf(`{"name":%[1]s,"type":%[1]s,"units":1,"value":%[2]d,"transactions":[{"date":"2026-01-05","type":%[1]s,"units":1,"balance":1}]}`, quoted, 100-i))
	}
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", "["+strings.Join(rows, ",")+"]"))
	b := openTab(t, desktop)
	b.enter(shop.URL, "asha")
	for _, l := range []display{desktop, {"phone-light", 390, 844, "light"}} {
		if l != b.look {
			b.change(l)
			b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
		}
		b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")),
			chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=transactions]").open = true`),
			until(`document.querySelectorAll("[data-testid=transaction-row]").length === 7`))
		shown := read(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("[data-testid=holding-row] .holding-name")].map((n) => n.textContent)`))
		if fmt.Sprintf("%q", shown) != fmt.Sprintf("%q", names) {
			t.Errorf("got %q on the page", shown)
		}
		if read(b, chromedp.Evaluate[bool](`"owned" in globalThis || document.querySelector("main img[src=x], main script") !== null`)) {
			t.Error("a name was rendered as markup")
		}
		if read(b, chromedp.Evaluate[bool](`[...document.querySelectorAll(".holding-name, .fact, [data-testid=investor]")]
			.some((n) => getComputedStyle(n.firstElementChild).unicodeBidi !== "isolate")`)) {
			t.Error("a name changes the text direction around it")
		}
		b.wantNoOverflow()
		b.screenshot("6-hostile")
		b.do(chromedp.Evaluate[chromedp.Void](`(() => {
			const select = document.querySelector("[data-testid=of-holding]");
			select.value = select.options[2].value;
			select.dispatchEvent(new Event("change"));
		})()`), until(`document.querySelectorAll("[data-testid=transaction-row]").length === 1`))
		b.wantNoErrors()
	}
}

func TestPageMarksUnreadableStatements(t *testing.T) {
	t.Parallel()
	const id = "pf_01kf0a6v3m9t2w8x4y5z7b1c2d"
	const summary = `"id":"` + id + `","active":true,"owner":1,"readable":false,"provenance":"reported","cas_type":"CDSL","period":null,
		"investor":{"name":null,"pan_masked":null},"total_value":"10.00","currency":"INR","holdings":{"equity":1},"received_rows":1,"stored_rows":1,
		"transactions":0,"rejected":[],"warnings":[],"saved_at":"2026-01-15T10:00:00Z"`
	lock := func(w http.ResponseWriter, r *http.Request) bool {
		answer := map[string]string{
			"/v1/portfolios": `{"portfolios":[{` + summary + `}],"next_cursor":null}`,
			"/v1/portfolios/" + id: `{` + summary + `,"rows":[{"id":"ho_1","class":"equity","isin":null,"name":"Example Steel","account":null,
				"institution":null,"category":null,"units":"1","price":null,"value":"10.00","cost":null,"gain":null,"sum_assured":null}]}`,
		}[r.URL.Path]
		if r.URL.Path == "/v1/holdings" {
			http.Error(w, `{"code":"portfolio_unreadable"}`, http.StatusServiceUnavailable)
			return true
		}
		if answer == "" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
		return true
	}
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(openDemo(t, lock).URL), chromedp.WaitVisible(on("user-asha")), chromedp.Click(on("user-asha")))
	has(t, read(b, chromedp.Text(on("problem"), chromedp.NodeVisible)), "locked", "What you own could not be added up")
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
	has(t, read(b, chromedp.Text(on("locked"))), "locked", "contact support")
	has(t, read(b, chromedp.Text(on("investor"))), "Locked")
	has(t, strings.Join(b.texts("statement"), ""), "Locked")
	has(t, read(b, chromedp.Text(on("statement-holdings-table"))), "Example Steel", "₹10.00")
	b.wantNoErrors()
}

func TestPageDownloadsHoldingsAndAllData(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	shop.save(t, "rohan", statementJSON("CAMS", "AAAPZ9999A", "01", `[{"name":"=Example Fund","units":1,"value":10}]`))
	b := openTab(t, desktop)
	b.enter(shop.URL, "rohan")
	name, text := b.downloaded("download-csv")
	if name != "holdings.csv" {
		t.Errorf("got the file name %s", name)
	}
	has(t, text, "id,class,isin,name,", "'=Example Fund", ",10.00,", "\r\n")
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
	name, text = b.downloaded("statement-download-csv")
	if !strings.HasPrefix(name, "holdings-pf_") || !strings.HasSuffix(name, ".csv") {
		t.Errorf("got the file name %s", name)
	}
	has(t, text, "id,class,isin,name,", "'=Example Fund")
	name, text = b.downloaded("export")
	if name != "casbroker-export.json" {
		t.Errorf("got the file name %s", name)
	}
	has(t, text, `"portfolios":[{"id":"pf_`, `"name":"=Example Fund"`, `"audit":[`)
	has(t, b.notice("good"), "downloaded")
	b.wantNoErrors()
}

func TestPageErasesTheUsersData(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	shop.save(t, "meera", statementJSON("CAMS", "AAAPZ9999A", "01", `[{"name":"Example Fund","units":1,"value":10}]`))
	b := openTab(t, desktop)
	b.enter(shop.URL, "meera")
	b.do(chromedp.Click(on("erase")), chromedp.WaitVisible(on("confirm")))
	b.screenshot("7-erase")
	b.do(chromedp.Click(on("confirm-no")), until(`!document.getElementById("confirm").open`), chromedp.WaitVisible(on("total")), chromedp.Click(on("erase")), chromedp.Click(on("confirm-yes"), chromedp.NodeVisible))
	has(t, b.notice("good"), "erased", "1 statement")
	b.do(chromedp.WaitVisible(on("empty")))
	b.wantNoErrors()
}

func TestPageShowsNoOtherStatementIfTheChosenOneFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if !broken.Load() || !strings.HasPrefix(r.URL.Path, "/v1/portfolios/") {
			return false
		}
		http.Error(w, `{"code":"store_unavailable","detail":"Try again."}`, http.StatusServiceUnavailable)
		return true
	}
	b := openTab(t, desktop)
	b.signIn(openDemo(t, refuse).URL, "asha")
	for _, source := range []string{"cdsl", "nsdl"} {
		b.choose(statement(t, source))
		b.parse("any")
		b.notice("good")
	}
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))

	broken.Store(true)
	b.do(chromedp.Click(chromedp.CSS(`[data-testid="statement"]:not([aria-current])`)))
	has(t, b.notice("bad"), "This statement could not be read", "Try again")
	b.do(chromedp.WaitNotPresent(on("statement-total")), chromedp.WaitVisible(on("total")))

	broken.Store(false)
	b.do(chromedp.Click(on("notice-action")), chromedp.WaitVisible(on("statement-total")), chromedp.WaitVisible(on("statement-holdings-table")))
	b.wantNoErrors()
}
