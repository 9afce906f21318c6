package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/sandbox"
)

// statement writes a PDF that the sandbox recognizes as of this source.
func statement(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), source+".pdf")
	if err := os.WriteFile(path, []byte("%PDF-1.4\n% "+source+"\n%%EOF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signIn opens the page and chooses a user.
func (b *tab) signIn(url, user string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(on("user-"+user)))
	b.screenshot("1-welcome")
	b.do(chromedp.Click(on("user-"+user)), chromedp.WaitVisible(on("import")), chromedp.WaitVisible(on("empty")))
}

// choose opens the widget and gives it a file.
func (b *tab) choose(path string) {
	b.t.Helper()
	b.do(chromedp.Click(on("import")))
	b.pick(path)
}

// reopened waits until the widget is open again with new access, and says so.
func (b *tab) reopened() chromedp.Action[chromedp.Void] {
	return until(string(in("widget-dialog")) + `?.textContent.includes("was renewed")`)
}

// pick gives a file to the widget when it is open.
func (b *tab) pick(path string) {
	b.t.Helper()
	b.do(
		chromedp.WaitEnabled(in("file")),
		chromedp.SetUploadFiles(in("file"), []string{path}),
		until(string(in("picked"))+`.textContent.includes("kB")`),
	)
}

// parse enters a password and submits the statement.
func (b *tab) parse(password string) {
	b.t.Helper()
	b.do(chromedp.Clear(in("password")), chromedp.SendKeys(in("password"), password), chromedp.Click(in("parse")))
}

// notice waits for a message of this kind (good, info, busy or bad) and returns it.
func (b *tab) notice(kind string) string {
	b.t.Helper()
	return read(b, chromedp.Text(chromedp.CSS(`[data-testid="notice"][data-kind="`+kind+`"]`), chromedp.NodeVisible))
}

func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, want it to contain %q", text, part)
		}
	}
}

func TestUserImportsAPortfolioOnThePage(t *testing.T) {
	t.Parallel()
	for _, l := range []display{desktop, {"wide-dark", 1280, 860, "dark"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 360, 740, "dark"}} {
		if l != desktop && *screenshots == "" && l.name != "phone-dark" {
			continue
		}
		t.Run(l.name, func(t *testing.T) { importOnThePage(t, openDemo(t, nil), l) })
	}
}

func importOnThePage(t *testing.T, shop *demoApp, l display) {
	b := openTab(t, l)
	b.signIn(shop.URL, "asha")
	b.screenshot("2-empty")
	if sample := read(b, chromedp.Evaluate[string](`fetch(document.querySelector("[data-testid=sample-nsdl]").href).then((r) => r.text())`,
		chromedp.EvalAwaitPromise)); !strings.HasPrefix(sample, "%PDF-") || !strings.Contains(sample, "Asha Verma") {
		t.Errorf("got the sample %.300q, want a PDF of Asha Verma", sample)
	}

	b.choose(statement(t, "nsdl"))
	b.parse("wrong")
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "password does not open", "req_")
	b.screenshot("3-wrong-password")
	b.parse("AAAPZ9999A")
	b.do(chromedp.WaitNotPresent(on("widget")))
	has(t, b.notice("good"), "Portfolio saved", "NSDL")
	b.screenshot("4-portfolio")

	total := read(b, chromedp.Text(on("total")))
	if total != "₹47,26,010.53" {
		t.Errorf("got the total %s, want that of the statement", total)
	}
	has(t, read(b, chromedp.Text(on("person"))), "What Asha Verma owns")
	has(t, read(b, chromedp.Text(on("sources"))), "NSDL")
	has(t, read(b, chromedp.Text(on("provenance"))), "Verified")
	if wide := read(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
		t.Error("the page is wider than the screen")
	}

	rows := func() []string {
		return read(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("[data-testid=holding-row] .holding-name")].map((n) => n.textContent)`))
	}
	all := rows()
	b.do(b.sortByName())
	sorted := rows()
	if len(all) < 3 || len(sorted) != len(all) || !strings.EqualFold(sorted[0], earliest(all)) {
		t.Errorf("sorted by name: %q", sorted)
	}
	b.do(chromedp.SendKeys(on("filter"), all[0]))
	if left := rows(); len(left) == 0 || len(left) == len(all) || left[0] != all[0] {
		t.Errorf("searched for %q: %q", all[0], left)
	}

	b.choose(statement(t, "nsdl"))
	b.parse("any")
	has(t, b.notice("info"), "Already saved")
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
	if again := read(b, chromedp.Text(on("total"))); again != total {
		t.Errorf("after a reload the total is %s, before it was %s", again, total)
	}
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
	has(t, read(b, chromedp.Text(on("source"))), "NSDL")
	b.screenshot("5-statement")
	b.do(chromedp.Click(on("delete")), chromedp.Click(on("confirm-yes"), chromedp.NodeVisible))
	has(t, b.notice("good"), "deleted")
	b.do(chromedp.WaitVisible(on("empty")))
	b.wantNoErrors()
}

// sortByName sorts the holdings: by the header of the table, or the choice of a phone.
func (b *tab) sortByName() chromedp.Action[chromedp.Void] {
	if b.look.width > 640 {
		return chromedp.Click(on("sort-name"))
	}
	return chromedp.Evaluate[chromedp.Void](`(() => {
		const order = document.querySelector("[data-testid=order]");
		order.value = "name";
		order.dispatchEvent(new Event("change"));
	})()`)
}

func earliest(names []string) string {
	first := names[0]
	for _, name := range names {
		if strings.ToLower(name) < strings.ToLower(first) {
			first = name
		}
	}
	return first
}

func TestPageExplainsErrorsAndNextSteps(t *testing.T) {
	t.Parallel()
	noPDF := filepath.Join(t.TempDir(), "holiday.pdf")
	if err := os.WriteFile(noPDF, []byte("not a PDF"), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := openDemo(t, nil)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "rohan")
	b.do(chromedp.Click(on("mode-direct"))) // the errors are the vendor's own

	b.do(chromedp.Click(on("import")), chromedp.WaitEnabled(in("file")), chromedp.SetUploadFiles(in("file"), []string{noPDF}))
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "not a PDF")
	b.do(chromedp.Click(in("close")))
	has(t, b.notice("bad"), "not a PDF")

	for _, broken := range []struct {
		fault sandbox.Fault
		says  []string
	}{
		{sandbox.Fault{Kind: sandbox.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 7}, []string{"Too many imports", "7 seconds"}},
		{sandbox.Fault{Kind: sandbox.FaultStatus, Status: http.StatusServiceUnavailable}, []string{"cannot be reached"}},
		{sandbox.Fault{Kind: sandbox.FaultDrop}, []string{"cannot be reached"}},
		{sandbox.Fault{Kind: sandbox.FaultMalformed}, []string{"could not be read"}},
	} {
		b.choose(statement(t, "cams"))
		broken.fault.Path = "/v4/smart/parse"
		shop.vendor.AddFault(broken.fault)
		b.parse("any")
		has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), broken.says...)
		b.do(chromedp.Click(in("close")), chromedp.WaitNotPresent(on("widget")))
		shop.vendor.ClearFaults()
	}

	// Access that has ended is renewed once, and the widget opens again.
	b.choose(statement(t, "cams"))
	shop.vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: http.StatusForbidden, Times: 1})
	b.parse("any")
	b.do(b.reopened(), chromedp.Click(in("close")))

	other := openTab(t, desktop) // has no token yet
	other.signIn(shop.URL, "asha")
	other.do(chromedp.Click(on("mode-direct")))
	shop.vendor.AddFault(sandbox.Fault{Path: "/v1/token", Kind: sandbox.FaultStatus, Status: http.StatusUnauthorized, Times: 1})
	other.do(chromedp.Click(on("import")))
	has(t, other.notice("bad"), "The operator of this service has to resolve this", "req_", "Try again")
	b.wantNoErrors()
}

func TestPageRetriesASaveWithTheSameKey(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var keys []string
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/portfolios" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch len(keys) {
		case 1:
			http.Error(w, `{"code":"store_unavailable","detail":"Try again."}`, http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		case 3, 4, 5: // the attempt without an answer is still in progress
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"code":"idempotency_in_flight","detail":"Send it again in a moment."}`, http.StatusConflict)
		}
		return len(keys) <= 5
	}
	b := openTab(t, desktop)
	b.signIn(openDemo(t, refuse).URL, "meera")
	b.do(chromedp.Click(on("mode-direct"))) // through the gateway the statement is saved without the page
	b.choose(statement(t, "kfintech"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved")
	mu.Lock()
	defer mu.Unlock()
	if len(keys) < 6 || keys[0] != keys[5] || len(keys[0]) < 18 || keys[0][0] != '"' {
		t.Errorf("got the keys %q, want one key for all attempts", keys)
	}
	b.wantNoErrors()
}

func TestPageRenewsAnExpiredSession(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	expired := false
	expire := func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if expired || r.URL.Path != "/v1/token" {
			return false
		}
		expired = true
		http.Error(w, `{"code":"invalid_token"}`, http.StatusUnauthorized)
		return true
	}
	b := openTab(t, desktop)
	b.signIn(openDemo(t, expire).URL, "asha")
	b.choose(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "CDSL")
	b.wantNoErrors()
}
