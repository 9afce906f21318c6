package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
)

// tipShown is an expression: whether the explanation of the badge with this data-testid is
// visible.
func tipShown(id string) string {
	return `getComputedStyle(document.getElementById("about-` + id + `")).visibility === "visible"`
}

func TestPageShowsWhetherAStatementIsVerifiedOrReported(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	has(t, read(b, chromedp.Text(on("mode-text"))), "verified")
	b.choose(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "Verified")
	if got := read(b, chromedp.Text(on("provenance"))); got != "Verified" {
		t.Errorf("through the gateway: got the badge %q, want Verified", got)
	}

	phone := display{"phone-dark", 360, 740, "dark"}
	for _, l := range []display{desktop, phone} {
		b.change(l)
		b.wantExplained()
	}
	about := read(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("[data-testid=provenance], [data-testid=statement]")]
		.map((n) => document.getElementById(n.getAttribute("aria-describedby")).textContent)`))
	if len(about) != 2 {
		t.Fatalf("got the descriptions %q, want those of the badge and of the list's entry", about)
	}
	for _, text := range about {
		has(t, text, "from the parser itself")
	}

	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("mode-gateway").focus()`), chromedp.KeyEvent(kb.ArrowRight),
		until(`document.getElementById("mode-direct").checked`))
	has(t, read(b, chromedp.Text(on("mode-text"))), "whole account")
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")), until(`document.getElementById("mode-direct").checked`))
	b.choose(statement(t, "nsdl"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "Reported")
	has(t, read(b, chromedp.Text(on("provenance"))), "Reported") // the latest statement has all accounts of the other
	if seen := b.texts("seen"); strings.Join(seen, " ") != "Reported Verified" {
		t.Errorf("got the labels %q in the list, want Reported, Verified", seen)
	}
	for _, l := range []display{phone, desktop} {
		b.change(l)
		b.wantNoOverflow()
	}
	b.wantNoErrors()
}

// wantExplained fails the test unless the explanation of the badge is there for pointer, keyboard
// and screen reader.
func (b *tab) wantExplained() {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=provenance]").focus()`), until(tipShown("provenance")))
	b.screenshot("7-verified")
	b.do(chromedp.KeyEvent(kb.Escape), until("!("+tipShown("provenance")+")"), chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
}

func TestPageShowsThatAStatementDiffersFromWhatTheServiceSaw(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "meera")
	b.choose(statement(t, "cdsl"))
	b.parse("any")
	b.notice("good")
	// Then the page's own script changes a figure before it posts the statement.
	b.do(chromedp.Click(on("mode-direct")), chromedp.Evaluate[chromedp.Void](`(() => {
		const send = globalThis.fetch;
		globalThis.fetch = (path, init) => {
			if (!String(path).endsWith("/v1/portfolios") || init.method !== "POST") return send(path, init);
			const changed = init.body.replace(/"units":\s*(\d)/, '"units":9$1');
			return send(path, { ...init, body: changed });
		};
	})()`))
	b.choose(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("bad"), "Saved, but it differs from what the service saw", "import the original PDF again")
	has(t, read(b, chromedp.Text(on("provenance"))), "Reported") // as it arrived later
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
	has(t, read(b, chromedp.Text(on("statement-provenance"))), "Reported")
	has(t, read(b, chromedp.Text(on("differs"))), "Differs from what the service saw")
	has(t, read(b, chromedp.Text(on("differences"))), "1 difference", "/units")
	if got := len(b.texts("seen-differs")); got != 1 {
		t.Errorf("got %d entries of the list that differ, want 1", got)
	}
	b.screenshot("8-differs")
	b.wantNoErrors()
}

func TestStatementIsThereAfterThePageWasClosedWhileItWasRead(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	parsing, release := make(chan struct{}), make(chan struct{})
	hold := func() {
		close(parsing)
		<-release
	}
	shop.parse.Store(&hold)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	b.choose(statement(t, "cdsl"))
	b.do(begun)
	b.parse("any")
	<-parsing
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(shop.URL))
	has(t, b.notice("busy"), "Looking for your last import")
	close(release)
	has(t, b.notice("good"), "Your statement is here", "CDSL")
	has(t, read(b, chromedp.Text(on("provenance"))), "Verified")
	b.screenshot("9-return")
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
	if got := b.texts("notice"); len(got) != 0 {
		t.Errorf("at the next visit: got %q, want no message", got)
	}
	b.wantNoErrors()
}

func TestPageTellsWhatToDoAfterErrorsOfTheGateway(t *testing.T) {
	t.Parallel()
	var refusal atomic.Pointer[gatewayRefusal]
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		f := refusal.Load()
		if f == nil || r.URL.Path != "/gateway/v4/smart/parse" {
			return false
		}
		w.Header().Set("Retry-After", f.retryAfter)
		w.WriteHeader(f.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "failed", "msg": f.msg, "code": f.code})
		return true
	}
	shop := openDemo(t, refuse)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "rohan")

	// Too many requests: a button that counts down.
	refusal.Store(&gatewayRefusal{status: http.StatusTooManyRequests, code: "RATE_LIMITED", msg: "Wait.", retryAfter: "90"})
	b.choose(statement(t, "cams"))
	b.parse("any")
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "90 seconds")
	b.do(chromedp.Click(in("close")))
	has(t, b.notice("bad"), "Too many imports", "Try again in ")
	if disabled := read(b, chromedp.Evaluate[bool](`document.querySelector("[data-testid=notice-action]").disabled`)); !disabled {
		t.Error("the button can be used at once, want after 90 s")
	}
	refusal.Store(nil)

	// The token is revoked while the widget is open, which opens again with a new one.
	b.choose(statement(t, "cams"))
	if _, err := shop.access.RevokeUser(t.Context(), operator, "demo:rohan"); err != nil {
		t.Fatal(err)
	}
	b.parse("any")
	b.do(b.reopened())
	b.pick(statement(t, "cams"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "Verified")
	b.wantNoErrors()

	// The account is out of credits.
	other := openTab(t, desktop)
	other.signIn(shop.URL, "asha")
	shop.vendor.AddFault(sandbox.Fault{Path: "/v4/smart/parse", Kind: sandbox.FaultStatus, Status: http.StatusPaymentRequired, Times: 1})
	other.choose(statement(t, "cams"))
	other.parse("any")
	has(t, other.notice("bad"), "No more imports for now", "The credits for imports are used up.", "contact support", "Code insufficient_credits")
	other.wantNoErrors()
}

func TestPageSaysWhenAUsedUpBudgetRenews(t *testing.T) {
	t.Parallel()
	shop := openDemoWith(t, nil, config.Budget{Name: "user-month", Scope: config.ScopeUser, Period: config.PeriodMonth, Credits: 1000})
	b := openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	b.do(chromedp.Click(on("upload")))
	b.pick(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "Verified")
	b.choose(statement(t, "nsdl"))
	b.parse("any")
	has(t, b.notice("bad"), "No more imports for now", "Your budget for importing statements is used up. It renews on 1 ", "contact support", "Code budget_exhausted")
	if got := b.texts("notice-action"); len(got) != 0 {
		t.Errorf("got the button %q, want none: another attempt would fail, too", got)
	}
	b.wantNoErrors()
}

// gatewayRefusal is an error of the gateway.
type gatewayRefusal struct {
	status                int
	code, msg, retryAfter string
}
