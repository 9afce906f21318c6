package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestUnsavedStatementIsSavedAfterAReloadOnce(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	var tries atomic.Int64
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/portfolios" || !down.Load() {
			return false
		}
		tries.Add(1)
		w.Header().Set("Retry-After", "600") // the page gives up at once
		http.Error(w, `{"code":"store_unavailable","detail":"Try again."}`, http.StatusServiceUnavailable)
		return true
	}
	shop := openDemo(t, refuse)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	b.do(chromedp.Click(on("mode-direct"))) // through the gateway the statement is saved without the page
	down.Store(true)
	b.choose(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("bad"), "Save again in ")
	b.do(chromedp.WaitVisible(on("empty")))

	down.Store(false)
	b.do(chromedp.Reload())
	has(t, b.notice("good"), "Your statement is here", "CDSL", "Reported")
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
	if got := b.texts("statement"); len(got) != 1 || tries.Load() == 0 {
		t.Errorf("got the statements %q after %d refusals, want one", got, tries.Load())
	}
	if got := b.texts("notice"); len(got) != 0 {
		t.Errorf("at the next visit: got %q, want no message", got)
	}
	b.wantNoErrors()
}

func TestTwoTabsOfAUserImportSideBySide(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b, other := openTab(t, desktop), openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	other.signIn(shop.URL, "asha")
	b.choose(statement(t, "asha-nsdl"))
	other.choose(statement(t, "asha-cams"))
	b.parse("any")
	other.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "NSDL")
	has(t, other.notice("good"), "Portfolio saved", "CAMS")
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("total")))
	if got := read(b, chromedp.Text(on("total"))); got != "₹49,73,859.58" {
		t.Errorf("got the total %s, want that of both statements", got)
	}
	b.wantNoErrors()
	other.wantNoErrors()
}

func TestServerParsesWithoutAccessOfThePage(t *testing.T) {
	t.Parallel()
	var tokens atomic.Int64
	shop := openDemo(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/gateway/") || strings.HasPrefix(r.URL.Path, "/sandbox/v") {
			tokens.Add(1)
		}
		return false
	})
	b := openTab(t, narrow)
	b.signIn(shop.URL, "asha")
	b.do(chromedp.Click(on("upload")))
	b.pick(statement(t, "nsdl"))
	b.parse("wrong")
	has(t, read(b, chromedp.Text(in("error"), chromedp.NodeVisible)), "password")
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "NSDL", "Verified")
	if n := tokens.Load(); n != 0 {
		t.Errorf("got %d calls of the page to the parser, want none", n)
	}
	b.wantNoErrors()
}

func TestAccessThatEndsBeforeTheOTPIsRenewed(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	fill := func(values map[string]string) {
		for id, value := range values {
			b.do(chromedp.WaitEnabled(in(id)), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`Object.assign(%s, { value: %q }).dispatchEvent(new Event("input", { bubbles: true }))`, in(id), value)))
		}
		b.do(chromedp.WaitEnabled(in("parse")), chromedp.Click(in("parse")))
	}
	b.do(chromedp.Click(on("import")), chromedp.Click(in("way-cdsl_fetch"), chromedp.NodeVisible))
	fill(map[string]string{"pan": "ZZZPV0000A", "bo-id": "9900000100000014", "dob": "1990-01-15"})
	b.do(chromedp.WaitEnabled(in("otp")))
	if _, err := shop.access.RevokeUser(t.Context(), operator, "demo:asha"); err != nil {
		t.Fatal(err)
	}
	fill(map[string]string{"otp": "123456"})
	b.do(b.reopened())
	b.pick(statement(t, "cdsl"))
	b.parse("any")
	has(t, b.notice("good"), "Portfolio saved", "CDSL", "Verified")
	b.wantNoErrors()
}

func TestMailboxAndRequestedStatementWorkOnTheDemoPage(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, desktop)
	step := func(name string) chromedp.Action[chromedp.Void] {
		return until(fmt.Sprintf(`%s?.dataset.step === %q`, in("widget-dialog"), name))
	}
	submit := func() { b.do(chromedp.WaitEnabled(in("parse")), chromedp.Click(in("parse"))) }
	b.signIn(shop.URL, "asha")

	b.do(chromedp.Click(on("import")), chromedp.Click(in("way-inbox"), chromedp.NodeVisible))
	b.consent(chromedp.Click(in("provider-gmail")), func() { b.do(step("consent")) }, `[value="asha"]`)
	b.do(step("pick"), chromedp.Click(in("pick-2")), chromedp.SendKeys(in("password"), "any"))
	submit()
	has(t, b.notice("good"), "Portfolio saved", "CAMS", "Verified")

	b.do(chromedp.Click(on("import")), chromedp.Click(in("way-generator"), chromedp.NodeVisible))
	b.do(chromedp.SendKeys(in("email"), "asha@example.com"), chromedp.SendKeys(in("password"), "right"))
	submit()
	b.do(step("mailed"))
	submit()
	b.do(chromedp.WaitVisible(in("address")), chromedp.Click(in("close")))
	b.wantNoErrors()
}
