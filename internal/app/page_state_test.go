package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// watchShifts has the page measure from its start how far what it shows moves by itself.
func (b *tab) watchShifts() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: `
			globalThis.shifts = [];
			new PerformanceObserver((list) => {
				for (const e of list.getEntries()) if (!e.hadRecentInput) shifts.push(e.value + ": " + e.sources.map((s) => s.node?.outerHTML?.slice(0, 80)));
			}).observe({ type: "layout-shift", buffered: true });`})
		return err
	}))
}

// wantStill fails the test if something on the page has moved by itself.
func (b *tab) wantStill(step string) {
	b.t.Helper()
	if moved := read(b, chromedp.Evaluate[[]string](`shifts`)); len(moved) > 0 {
		b.t.Errorf("%s: got the shifts %q, want none", step, moved)
	}
}

// reads is how the broker answers what the page reads.
type reads struct {
	status int
	code   string
	header string        // of Retry-After
	hold   chan struct{} // closed when an answer may be sent; nil for at once
}

// answerReads answers what the page reads of the user as state says; the broker does if it
// has none.
func answerReads(state *atomic.Pointer[reads]) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		s := state.Load()
		if s == nil || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v1/") {
			return false
		}
		if s.hold != nil {
			select {
			case <-s.hold:
			case <-r.Context().Done():
			}
		}
		if s.status == 0 {
			return false
		}
		if s.status < 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Retry-After", s.header)
		http.Error(w, fmt.Sprintf(`{"code":%q,"detail":"Try again."}`, s.code), s.status)
		return true
	}
}

func TestPageSaysWhyItHasNothingToShow(t *testing.T) {
	t.Parallel()
	var state atomic.Pointer[reads]
	shop := openDemo(t, answerReads(&state))
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", `[{"name":"Example Fund","units":1,"value":10}]`))
	b := openTab(t, narrow)
	b.watchShifts()
	b.do(chromedp.Navigate(shop.URL), chromedp.WaitVisible(on("user-asha")))
	b.wantAccessible("welcome")
	b.wantFits("welcome")

	hold := make(chan struct{})
	state.Store(&reads{hold: hold})
	b.do(chromedp.Click(on("user-asha")), chromedp.WaitVisible(on("loading")))
	b.wantAccessible("loading")
	b.wantFits("loading")
	b.screenshot("20-loading")
	close(hold)
	b.do(chromedp.WaitVisible(on("total")), until(`document.querySelector("[data-testid=worth] p") !== null`))
	b.wantStill("after loading")

	for _, c := range []struct {
		name  string
		reads reads
		at    string
		says  []string
	}{
		{"offline", reads{status: -1}, "problem", []string{"not responding", "Check that you are online", "Try again"}},
		{"limited", reads{status: 429, code: "rate_limited", header: "90"}, "problem", []string{"Too many requests", "Try again in "}},
		{"down", reads{status: 503, code: "store_unavailable"}, "problem", []string{"could not be read", "Try again"}},
		{"expired", reads{status: 401, code: "invalid_token"}, "problem", []string{"session has ended", "Sign in again"}},
		{"blocked", reads{status: 403, code: "subject_blocked"}, "blocked", []string{"Your account is blocked", "contact support"}},
	} {
		state.Store(&c.reads)
		b.do(chromedp.Reload(), chromedp.WaitVisible(on(c.at)))
		has(t, read(b, chromedp.Text(on(c.at))), c.says...)
		if disabled := read(b, chromedp.Evaluate[bool](`document.querySelector("[data-testid=problem-action]")?.disabled ?? false`)); disabled != (c.reads.header != "") {
			t.Errorf("%s: the button is disabled: %t", c.name, disabled)
		}
		b.wantAccessible(c.name)
		b.wantFits(c.name)
		b.wantStill(c.name)
		b.screenshot("21-" + c.name)
	}
	state.Store(nil)
	b.do(chromedp.Click(on("check-block")), chromedp.WaitVisible(on("total")))
	b.wantNoErrors()
}

// maxPage is how many bytes the page may load, compressed, without the widget.
const maxPage = 100 << 10

func TestPageIsSmallAccessibleAndStill(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	var rows []string
	for i := range 13 {
		rows = append(rows, fmt.Sprintf(`{"isin":"INF000000%03d","name":"Example Fund %d - Direct Plan - Growth Option","units":12.5,"nav":8,"value":%d,"cost":90,"gain":{"absolute":10},
			"transactions":[{"date":"2026-01-05","type":"PURCHASE","units":1,"nav":8,"amount":8,"balance":12.5}]}`, i, i, 100+i))
	}
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", "["+strings.Join(rows[1:], ",")+"]"))
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "02", "["+strings.Join(rows[:12], ",")+`,{"name":"Another Fund","units":1,"value":7}]`))
	b := openTab(t, display{"phone-light", 390, 844, "light"})
	b.watchShifts()
	b.enter(shop.URL, "asha")
	b.do(until(`document.querySelector("[data-testid=total-change]").textContent.includes("since")`))
	b.wantStill("what is owned")
	if got := read(b, chromedp.Evaluate[int](`document.querySelector(".holdings").offsetHeight`)); got > 1200 {
		t.Errorf("got a list of 13 holdings that is %d pixels high, want at most 1200", got)
	}
	loaded := read(b, chromedp.Evaluate[int](`[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.filter(({ name }) => !new URL(name).pathname.startsWith("/v1/") && !new URL(name).pathname.startsWith("/widget/"))
		.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`))
	if loaded < 20<<10 || loaded > maxPage {
		t.Errorf("got a page of %d bytes, want at most %d", loaded, maxPage)
	}
	t.Logf("the page loads %d bytes", loaded)
	b.wantAccessible("what is owned")
	b.wantFits("what is owned")

	b.do(chromedp.Click(chromedp.CSS(".holding")), chromedp.WaitVisible(chromedp.CSS("tr.open .about")), chromedp.Evaluate[chromedp.Void](`document.getElementById("statements").scrollIntoView()`),
		until(`[...document.querySelectorAll("[data-testid=change]")].every((n) => n.textContent !== "")`))
	has(t, strings.Join(b.texts("change"), "|"), "since 28 Jan 2026 · 2 new · 1 gone", "first statement")
	b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("changes")))
	has(t, read(b, chromedp.Text(on("changes"))), "Another Fund", "No longer held", "Example Fund 12")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=transactions]").open = true`), chromedp.WaitVisible(on("transaction-row")))
	b.wantAccessible("a statement")
	b.wantFits("a statement")
	b.screenshot("22-statement")
	b.wantNoErrors()
}

func TestSignOutEverywhereEndsAccessOfOtherTabs(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b, other := openTab(t, desktop), openTab(t, desktop)
	b.signIn(shop.URL, "asha")
	other.signIn(shop.URL, "asha")
	other.choose(statement(t, "cdsl"))
	b.do(chromedp.Click(on("revoke")), chromedp.Click(on("confirm-yes"), chromedp.NodeVisible), chromedp.WaitVisible(on("user-asha")))
	has(t, b.notice("good"), "Signed out everywhere")
	other.parse("any")
	other.do(other.reopened()) // with access that is new, since the session of that tab goes on
	b.wantNoErrors()
	other.wantNoErrors()
}
