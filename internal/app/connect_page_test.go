package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"casbroker/internal/access"
	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/testkit/logtest"
)

// connectSite is a page of an app that uses connect.js, and the broker, on two origins.
type connectSite struct {
	URL    string // of the page
	broker string
	vendor *sandbox.Sandbox
	access *access.Service
	log    *logtest.Log

	down  atomic.Bool // whether the broker's API closes connections without an answer
	mu    sync.Mutex
	calls map[string]int // requests that reached the broker, by method and path
}

// connectModule is the script of the page. The widget is a stub unless the test asks for the
// broker's, so that tests do not depend on its dialog.
const connectModule = `import * as connect from "%[1]s/connect.js";
import * as stub from "/test/stub.js";
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI));
globalThis.jwt = () => sessionStorage.getItem("jwt");
globalThis.make = (options) => {
	const made = connect.createConnect({ getUserToken: jwt, ...options });
	globalThis.events = [];
	made.on("event", (e) => events.push(e));
	return made;
};
globalThis.show = (promise) => {
	globalThis.result = undefined;
	promise.then((r) => { globalThis.result = r ? { ...r, error: r.error && { ...r.error, message: r.error.message } } : null; });
};
globalThis.stub = stub;
globalThis.isReady = true;
`

// openConnectSite serves a page of an app until the test ends. change, if not nil, changes the
// settings, whose tokens are for the gateway or direct.
func openConnectSite(t *testing.T, change func(*config.Config)) *connectSite {
	t.Helper()
	s := &connectSite{log: &logtest.Log{}, calls: map[string]int{}}
	page := httptest.NewUnstartedServer(http.HandlerFunc(s.servePage))
	settings, vendor := settingsFor(t, sqlite(t), "memory")
	allFeatures(&settings)
	settings.Token.Mode, settings.Web.StandIn = config.ModeBoth, true
	settings.Server.AllowedOrigins = []string{"http://" + page.Listener.Addr().String()}
	if change != nil {
		change(&settings)
	}
	a, err := app.New(t.Context(), settings, app.Options{LogTo: s.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() && strings.HasPrefix(r.URL.Path, "/v1/") {
			panic(http.ErrAbortHandler)
		}
		s.mu.Lock()
		s.calls[r.Method+" "+r.URL.Path]++
		s.mu.Unlock()
		a.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(broker.Close)
	s.broker, s.vendor, s.access = broker.URL, vendor, a.Access()
	page.Start()
	t.Cleanup(page.Close)
	s.URL = page.URL
	return s
}

// servePage serves the page, with a policy that allows the broker only.
func (s *connectSite) servePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	broker := s.broker
	s.mu.Unlock()
	switch path := r.URL.Path; {
	case path == "/page.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = fmt.Fprintf(w, connectModule, broker)
	case strings.HasPrefix(path, "/test/"):
		http.ServeFile(w, r, filepath.Join("../../web/connect/test", filepath.Base(path)))
	default:
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+broker+"; connect-src "+broker+"; style-src 'self'; "+
			"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-src 'self'; frame-ancestors 'self'")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><main><h1>App</h1></main><script type="module" src="/page.js"></script></html>`)
	}
}

// moveBroker has the page call the broker at another URL from now on.
func (s *connectSite) moveBroker(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker = url
}

// count returns how many requests of a method and path reached the broker.
func (s *connectSite) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// visit opens the page as user, with the stub widget that script is, or with "" the broker's.
func (b *tab) visit(s *connectSite, user, script string) {
	b.t.Helper()
	b.do(chromedp.Navigate(s.URL), until(`globalThis.isReady`))
	b.run(`sessionStorage.setItem("jwt", "` + bearer(b.t, user) + `")`)
	b.script(script)
}

// script installs the stub widget.
func (b *tab) script(script string) {
	b.t.Helper()
	if script != "" {
		b.run(`globalThis.opened = stub.install(` + script + `)`)
	}
}

func (b *tab) reload() {
	b.t.Helper()
	b.run(`globalThis.isReady = false`)
	b.do(chromedp.Reload(), until(`globalThis.isReady`))
}

// run runs statements on the page.
func (b *tab) run(statements string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { ` + statements + ` })()`))
}

// connected is a Result of connect.js.
type connected struct {
	Status    string `json:"status"`
	Portfolio struct {
		ID         string `json:"id"`
		Provenance string `json:"provenance"`
	} `json:"portfolio"`
	Error struct {
		Code       string  `json:"code"`
		Title      string  `json:"title"`
		RetryAfter float64 `json:"retryAfter"`
		Retryable  bool    `json:"retryable"`
		Kept       bool    `json:"kept"`
	} `json:"error"`
}

// result waits for the result of what show got; its zero value is that nothing was to be done.
func (b *tab) result() connected {
	b.t.Helper()
	b.do(until(`globalThis.result !== undefined`))
	return read(b, chromedp.Evaluate[connected](`globalThis.result ?? {}`))
}

// wantSaved waits for a result and fails the test unless the statement is saved.
func (b *tab) wantSaved() connected {
	b.t.Helper()
	r := b.result()
	if r.Status != "saved" || r.Portfolio.ID == "" {
		b.t.Fatalf("got %+v, want it saved; events %s", r, read(b, chromedp.Evaluate[string](`JSON.stringify(globalThis.events)`)))
	}
	return r
}

// wantNoViolations fails the test if the page violated its policy, or threw.
func (b *tab) wantNoViolations() {
	b.t.Helper()
	b.wantNoErrors()
	if got := read(b, chromedp.Evaluate[[]string](`violations`)); len(got) > 0 {
		b.t.Errorf("got violations %q", got)
	}
}

// closeAtOnce is a stub widget that the user closes.
const closeAtOnce = `async () => ({ status: "closed" })`

// postsDirect has connect.js post what the widget got: through the gateway the broker would have it already.
const postsDirect = `{ token: { mode: "direct" }, keepUnsaved: true }`

func TestPageOfAnotherOriginImportsWithTheStandIn(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", "")
	b.run(`globalThis.connect = make({ token: { mode: "gateway" } }); connect.prefetch().then(() => { globalThis.fetched = true; })`)
	b.do(until(`globalThis.fetched && document.querySelectorAll("script[src$='/widget/portfolio-connect.js'][crossorigin=anonymous]").length === 1`))
	b.run(`show(connect.open({ config: { title: "Import" } }))`)
	b.do(until(string(in("widget-dialog")) + `?.open`))
	b.do(chromedp.SetUploadFiles(in("file"), []string{statement(t, "cdsl")}), until(string(in("picked"))+`.textContent.includes("kB")`))
	b.parse("ABCDE1234F")
	if r := b.wantSaved(); r.Portfolio.Provenance != "verified" {
		t.Errorf("got %+v, want it verified", r)
	}
	if got := s.count("POST /v1/token"); got != 1 {
		t.Errorf("got %d tokens, want that of prefetch only", got)
	}
	b.wantNoViolations()
}

func TestTokenThatEndsBeforeTheOTPIsRenewedWhereTheUserWas(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	// The first time the token is revoked between the two steps at CDSL; the session there is the user's.
	b.visit(s, "asha", `async (o, n) => {
		const call = (path, body) => fetch(o.apiBaseUrl + path, { method: "POST", body: JSON.stringify(body),
			headers: { "Content-Type": "application/json", "x-api-key": o.accessToken } });
		if (n === 1) {
			globalThis.session = (await (await call("/v4/cdsl/fetch", { pan: "ABCDE1234F", bo_id: "1234567890123456", dob: "1990-01-31" })).json()).session_id;
			await fetch("`+s.broker+`/v1/token/revoke", { method: "POST", headers: { Authorization: "Bearer " + jwt() } });
		}
		const verified = await call("/v4/cdsl/fetch/" + session + "/verify", { otp: "`+sandbox.OTP+`" });
		if (verified.status === 401) return stub.failed("AUTHENTICATION", false);
		const [file] = (await verified.json()).files;
		const parsed = await call("/v4/smart/parse", { pdf_url: file.url, password: "ABCDE1234F" });
		return parsed.ok ? { status: "success", data: await parsed.json(), metadata: {} } : stub.failed("PARSE_ERROR", false);
	}`)
	b.run(`show(make({ token: { mode: "gateway" } }).open({ config: { enableCdslFetch: true, prefill: { pan: "ABCDE1234F" } } }))`)
	b.wantSaved()
	type opening struct {
		Token    string `json:"accessToken"`
		Subtitle string `json:"subtitle"`
		PAN      string `json:"pan"`
	}
	got := read(b, chromedp.Evaluate[[]opening](`opened.map(({ accessToken, config }) => ({ accessToken, subtitle: config.subtitle ?? "", pan: config.prefill.pan }))`))
	if len(got) != 2 || got[0].Token == got[1].Token || got[0].Subtitle != "" || !strings.Contains(got[1].Subtitle, "renewed") || got[1].PAN != "ABCDE1234F" {
		t.Errorf("got %+v, want it opened again with a new token, the same settings and a line that says why", got)
	}
	b.wantNoViolations()
}

func TestStandInOpensAgainWhenTheTokenEndsWhileItWaitsForTheOTP(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", "")
	b.run(`show(make({ token: { mode: "gateway" } }).open({ config: { enableCdslFetch: true, prefill: { pan: "ZZZPV0000A", boId: "9900000100000014", dob: "1990-01-15" } } }))`)
	step := func(name string) chromedp.Action[chromedp.Void] {
		return until(fmt.Sprintf(`%s?.dataset.step === %q`, in("widget-dialog"), name))
	}
	submit := []chromedp.Action[chromedp.Void]{chromedp.WaitEnabled(in("parse")), chromedp.Click(in("parse"))}
	for again := range 2 {
		b.do(step("home"), chromedp.Click(in("way-cdsl_fetch")), step("cdsl"))
		b.do(submit...)
		b.do(step("otp"), chromedp.SendKeys(in("otp"), sandbox.OTP))
		if again == 0 {
			b.do(chromedp.Evaluate[chromedp.Void](`fetch("`+s.broker+`/v1/token/revoke", { method: "POST", headers: { Authorization: "Bearer " + jwt() } })`, chromedp.EvalAwaitPromise))
		}
		b.do(submit...)
		if again == 0 {
			b.do(until(string(in("widget-dialog")) + `?.textContent.includes("renewed")`))
			b.screenshot("connect-reopened")
		}
	}
	b.do(step("pick"), chromedp.Click(in("pick-1")))
	b.do(submit...)
	b.wantSaved()
	b.wantNoViolations()
}

func TestStatementIsSavedOnceWhenTheBrokerIsDownMeanwhile(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", `async () => ({ status: "success", data: `+statementData+`, metadata: {} })`)
	b.run(`globalThis.connect = make(` + postsDirect + `); connect.prefetch().then(() => { globalThis.fetched = true; })`)
	b.do(until(`globalThis.fetched`))
	s.down.Store(true)
	b.run(`show(connect.open())`)
	b.do(until(`events.some((e) => e.name === "save_retry" && e.code === "network")`))
	s.down.Store(false)
	first := b.wantSaved()
	b.run(`show(make(` + postsDirect + `).resume())`)
	if r := b.result(); r.Status != "" {
		t.Errorf("got %+v, want nothing left to save", r)
	}
	if got := s.count("POST /v1/portfolios"); got != 1 {
		t.Errorf("got %d saves of %s, want 1", got, first.Portfolio.ID)
	}
}

// statementData is what the vendor reads in a statement, as JavaScript.
const statementData = `{ meta: { cas_type: "CDSL", statement_period: { from: "2025-12-01", to: "2025-12-31" } }, investor: { name: "Asha Example", pan: "ABCDE1234F" },
	summary: { total_value: 1500 }, demat_accounts: [{ demat_type: "CDSL", bo_id: "1234567890123456", dp_name: "DP", value: 1500,
	holdings: { equities: [{ isin: "INE002A01018", name: "Example Ltd", units: 1, value: 1500 }] } }] }`

func TestUnsavedStatementSurvivesAReloadForItsUserOnly(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	for i, mode := range []string{`true`, `"session"`} {
		user, other := []string{"asha", "meera"}[i], []string{"ravi", "rohan"}[i]
		options := `{ token: { mode: "direct" }, keepUnsaved: ` + mode + ` }`
		data := `async () => ({ status: "success", data: ` + statementData + `, metadata: {} })`
		b.visit(s, user, data)
		b.run(`globalThis.connect = make(` + options + `); connect.prefetch().then(() => { globalThis.fetched = true; })`)
		b.do(until(`globalThis.fetched`))
		s.down.Store(true)
		b.run(`show(connect.open())`)
		b.do(until(`events.some((e) => e.name === "save_retry")`))
		b.reload() // between the parse and the save
		s.down.Store(false)

		if got := read(b, chromedp.Evaluate[string](keptText, chromedp.EvalAwaitPromise)); strings.Contains(got, "INE002A01018") || !strings.Contains(got, "sealed") {
			t.Errorf("%s: got %.300s in the browser, want it encrypted", mode, got)
		}
		b.run(`sessionStorage.setItem("jwt", "` + bearer(t, other) + `")`)
		b.run(`show(make(` + options + `).resume())`)
		if r := b.result(); r.Status != "" {
			t.Errorf("%s: another user got %+v", mode, r)
		}
		b.run(`sessionStorage.setItem("jwt", "` + bearer(t, user) + `")`)
		b.run(`show(make(` + options + `).resume())`)
		b.wantSaved()
		b.run(`show(make(` + options + `).resume())`)
		if r := b.result(); r.Status != "" || s.count("POST /v1/portfolios") != i+1 {
			t.Errorf("%s: got %+v and %d saves, want one of each user", mode, r, s.count("POST /v1/portfolios"))
		}
		b.wantNoViolations()
	}
}

// begun waits until connect.js knows which parses are older than the import that was opened.
var begun = until(`performance.getEntriesByType("resource").some((e) => e.name.includes("/v1/grants/") && e.responseEnd > 0)`)

// keptText reads what the module keeps in the browser.
const keptText = `new Promise((resolve, reject) => {
	const request = indexedDB.open("casbroker-connect");
	request.onerror = reject;
	request.onsuccess = () => {
		const all = request.result.transaction("kept").objectStore("kept").getAll();
		all.onsuccess = () => resolve(JSON.stringify(all.result.map((r) => ({ ...r, sealed: String.fromCharCode(...new Uint8Array(r.sealed)) }))) + JSON.stringify({ ...localStorage }));
	};
})`

func TestUploadWhoseEndThePageDidNotSeeIsFoundByTheNextPage(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	options := `{ token: { mode: "gateway" }, keepUnsaved: "session" }`
	b.visit(s, "asha", `(o) => { globalThis.parse = () => stub.parse(o).then(() => { globalThis.parsed = true; }); return new Promise(() => {}); }`)
	b.run(`show(make(` + options + `).open())`)
	b.do(until(`Boolean(globalThis.parse)`), begun)
	b.run(`parse()`)
	b.do(until(`globalThis.parsed`))
	if got := read(b, chromedp.Evaluate[string](keptText, chromedp.EvalAwaitPromise)); !strings.Contains(got, "gr_") {
		t.Errorf("got %s in the browser, want the grant that the next page asks for", got)
	}
	b.reload()
	b.run(`show(make(` + options + `).resume())`)
	if r := b.wantSaved(); r.Portfolio.Provenance != "verified" {
		t.Errorf("got %+v", r)
	}
}

func TestTwoTabsSaveOnce(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", `async () => ({ status: "success", data: `+statementData+`, metadata: {} })`)
	b.run(`globalThis.connect = make(` + postsDirect + `); connect.prefetch().then(() => { globalThis.fetched = true; })`)
	b.do(until(`globalThis.fetched`))
	s.down.Store(true)
	b.run(`show(connect.open())`)
	b.do(until(`events.some((e) => e.name === "save_retry")`))
	s.down.Store(false)
	// A frame has a script of its own, as a second tab has, and shares what the browser stores.
	b.run(`document.querySelector("main").append(Object.assign(document.createElement("iframe"), { src: "/" }))`)
	b.do(until(`frames[0]?.isReady`))
	b.run(`Promise.all([frames[0].make(` + postsDirect + `).resume(), make(` + postsDirect + `).resume()]).then((all) => { globalThis.resumed = all.filter(Boolean).length; })`)
	b.wantSaved()
	b.do(until(`globalThis.resumed !== undefined`))
	if got := s.count("POST /v1/portfolios"); got != 1 {
		t.Errorf("got %d saves, want 1", got)
	}
}

func TestBlockedUserAndLimitAreExplained(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, func(c *config.Config) { c.RateLimit.Token.User = "1-H" })
	b := openTab(t, desktop)
	if _, err := s.access.Block(t.Context(), operator, "app:asha", "test", time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.visit(s, "asha", closeAtOnce)
	b.run(`show(make({ language: "hi" }).open())`)
	if r := b.result(); r.Error.Code != "subject_blocked" || r.Error.Retryable || !strings.Contains(r.Error.Title, "रोक") {
		t.Errorf("blocked: got %+v", r)
	}
	b.visit(s, "ravi", closeAtOnce)
	b.run(`show(make().open())`)
	if r := b.result(); r.Status != "closed" {
		t.Errorf("got %+v", r)
	}
	b.run(`show(make().open())`)
	if r := b.result(); r.Error.Code != "rate_limited" || !r.Error.Retryable || r.Error.RetryAfter < 5 {
		t.Errorf("limited: got %+v, want the seconds to wait", r)
	}
	b.wantNoViolations()
}

func TestWidgetScriptThatFailsToLoadIsAClearError(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", "")
	for name, widget := range map[string]string{
		"missing": `url: "` + s.broker + `/widget/none.js"`, "another script": `url: "` + s.broker + `/widget/portfolio-connect.js", integrity: "sha384-AAAA"`,
	} {
		b.run(`show(make({ widget: { ` + widget + ` } }).open())`)
		if r := b.result(); r.Error.Code != "widget_not_loaded" || !r.Error.Retryable {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	b.run(`globalThis.connect = make(); show(connect.open())`)
	b.do(until(string(in("widget-dialog")) + `?.open`)) // and it works with the right one
	if got := read(b, chromedp.Evaluate[int](`document.querySelectorAll("script[src*=widget]").length`)); got != 1 {
		t.Errorf("got %d scripts of the widget, want 1", got)
	}
}

func TestPageOfAnOriginThatIsNotAllowedGetsANetworkError(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, func(c *config.Config) { c.Server.AllowedOrigins = []string{"https://app.example"} })
	b := openTab(t, desktop)
	b.visit(s, "asha", closeAtOnce) // the module itself is for all
	b.run(`show(make().open())`)
	if r := b.result(); r.Error.Code != "network" {
		t.Errorf("got %+v", r)
	}
	has(t, s.log.String(), "server.allowed_origins", s.URL)
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	found := false
	for _, f := range app.Diagnose(t.Context(), settings, app.Options{LogTo: &logtest.Log{}}, app.Caller{Origin: s.URL}) {
		found = found || f.Check == "cors" && strings.Contains(f.Remedy, s.URL)
	}
	if !found {
		t.Error("broker doctor --origin does not name the origin")
	}
}

func TestBrokerParsesUploadsForTheWidget(t *testing.T) {
	t.Parallel()
	s := openConnectSite(t, nil)
	b := openTab(t, desktop)
	b.visit(s, "asha", `async (o) => {
		const submit = (password) => o.onSubmit({ kind: "file", file: stub.pdf("cdsl"), filename: "x.pdf", source: "UPLOAD" }, password, () => {});
		globalThis.wrong = await submit("wrong").catch((e) => ({ code: e.code, message: e.message, retryable: e.retryable }));
		return { status: "success", data: await submit("ABCDE1234F"), metadata: {} };
	}`)
	b.run(`show(make({ upload: "broker" }).open())`)
	if r := b.wantSaved(); r.Portfolio.Provenance != "verified" {
		t.Errorf("got %+v", r)
	}
	if got := read(b, chromedp.Evaluate[string](`JSON.stringify(wrong)`)); !strings.Contains(got, "INVALID_PASSWORD") || !strings.Contains(got, `"retryable":true`) {
		t.Errorf("got %s for a wrong password", got)
	}
	if s.count("POST /v1/portfolios") != 0 || s.count("POST /v1/statements") != 2 {
		t.Error("want two uploads and no save")
	}
	b.wantNoViolations()
}
