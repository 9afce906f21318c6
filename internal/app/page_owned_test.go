package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"casbroker/internal/demo"
	"casbroker/internal/sandbox"
)

// importAll imports statements on the page of a user who has signed in.
func (b *tab) importAll(t *testing.T, names ...string) {
	t.Helper()
	for i, name := range names {
		b.choose(statement(t, name))
		b.parse("any")
		b.do(until(fmt.Sprintf(`document.querySelectorAll("[data-testid=statement]").length === %d && !document.querySelector("[data-testid=widget]")`, i+1)))
		b.do(chromedp.WaitVisible(chromedp.CSS(`[data-testid="notice"]:not([data-kind="busy"])`)))
	}
}

// wantNoOverflow fails the test if the page is wider than the screen.
func (b *tab) wantNoOverflow() {
	b.t.Helper()
	if wide := read(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > b.look.width {
		b.t.Errorf("%s: got a page of %d pixels on a screen of %d", b.look.name, wide, b.look.width)
		b.t.Logf("too wide: %q", read(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("body *")]
			.filter((n) => n.clientWidth > 0 && n.scrollWidth > n.clientWidth + 1 && getComputedStyle(n).overflowX === "visible").map((n) => n.outerHTML.slice(0, 120))`)))
	}
}

var narrow = display{"narrow-light", 320, 640, "light"}

func TestPageShowsOneTrueTotalOfSeveralStatements(t *testing.T) {
	t.Parallel()
	for _, l := range []display{narrow, {"narrow-dark", 320, 640, "dark"}, {"phone-dark", 390, 844, "dark"}, {"phone-light", 390, 844, "light"}, {"wide-dark", 1400, 900, "dark"}, {"wide-light", 1400, 900, "light"}} {
		if l != narrow && *screenshots == "" {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			b := openTab(t, l)
			b.signIn(openDemo(t, nil).URL, "asha")
			b.wantNoOverflow()
			b.importAll(t, "asha-nsdl", "asha-cams")
			if got := read(b, chromedp.Text(on("total"))); got != "₹49,73,859.58" {
				t.Errorf("got the total %s, want ₹49,73,859.58", got)
			}
			has(t, read(b, chromedp.Text(on("person"))), "What Asha Verma owns")
			has(t, read(b, chromedp.Text(on("oldest"))), "30 Sept 2026", "old")
			has(t, read(b, chromedp.Text(on("sources"))), "NSDL", "CAMS & KFintech")
			has(t, strings.Join(b.texts("holding-row"), " "), "31 Oct 2026", "30 Sept 2026", "Verified")
			has(t, strings.Join(b.texts("account"), " "), "In a demat account", "Folio", "Cover only")
			has(t, read(b, chromedp.Text(on("allocation"))), "Mutual funds", "Shares")
			b.wantNoOverflow()
			b.screenshot("10-owned")
			b.do(chromedp.Click(on("statement")), chromedp.WaitVisible(on("statement-total")))
			b.wantNoOverflow()
			b.screenshot("11-owned-statement")
			b.wantNoErrors()
		})
	}
}

func TestPageShowsEachPersonsTotalByName(t *testing.T) {
	t.Parallel()
	b := openTab(t, narrow)
	b.signIn(openDemo(t, nil).URL, "rohan")
	b.importAll(t, "rohan-cams", "rohan-nsdl") // the first has a folio of Leela's
	has(t, read(b, chromedp.Text(on("person"))), "What Rohan Iyer owns")
	if got := strings.Join(b.texts("person-choice"), " "); !strings.Contains(got, "Rohan Iyer₹41,87,222.05") || !strings.Contains(got, "Leela Iyer₹3,26,407.46") {
		t.Errorf("got the people %q", got)
	}
	if got := b.texts("person-note"); len(got) != 0 {
		t.Errorf("got the note %q about the user's own holdings, want none", got)
	}
	b.screenshot("12-people")
	b.do(chromedp.Click(chromedp.CSS(`[data-testid="person-choice"][aria-pressed="false"]`)), until(`document.querySelector("[data-testid=holder]").textContent === "Leela Iyer"`))
	has(t, read(b, chromedp.Text(on("person"))), "What Leela Iyer owns")
	has(t, read(b, chromedp.Text(on("person-note"))), "signed in as Rohan Iyer", "Leela Iyer")
	if got := read(b, chromedp.Text(on("total"))); got != "₹3,26,407.46" {
		t.Errorf("got the total %s of Leela Iyer, want ₹3,26,407.46", got)
	}
	b.wantNoOverflow()
	b.wantNoErrors()
}

func TestPageExplainsAnotherPersonsStatementWithoutAlarm(t *testing.T) {
	t.Parallel()
	b := openTab(t, desktop)
	b.signIn(openDemo(t, nil).URL, "asha")
	b.importAll(t, "asha-cdsl", "meera-cdsl")
	has(t, b.notice("info"), "saved for another person", "Meera Nair", "not added to yours")
	has(t, read(b, chromedp.Text(on("person"))), "What Asha Verma owns")
	if got := read(b, chromedp.Text(on("total"))); got != "₹46,87,725.97" {
		t.Errorf("got the total %s, want that of the user's own statement", got)
	}
	if !read(b, chromedp.Evaluate[bool](`(() => {
		const mark = document.querySelector("[data-testid=other-owner]");
		return getComputedStyle(mark).color === getComputedStyle(mark.closest("button").querySelector("small")).color;
	})()`)) {
		t.Error("the mark of another person's statement stands out by its colour")
	}
	b.screenshot("13-another-person")
	b.wantNoErrors()
}

func TestPageOfABlockedUserShowsThatAndNothingElse(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, narrow)
	b.signIn(shop.URL, "meera")
	b.importAll(t, "meera-cdsl")
	if _, err := shop.access.Block(t.Context(), operator, "demo:meera", "test", time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Reload(), chromedp.WaitVisible(on("blocked")))
	for _, hidden := range []string{"total", "statement", "import", "export", "empty"} {
		if read(b, chromedp.Evaluate[bool](fmt.Sprintf(`document.querySelector("[data-testid=%s]")?.checkVisibility() ?? false`, hidden))) {
			t.Errorf("%s is visible", hidden)
		}
	}
	b.wantNoOverflow()
	b.screenshot("14-blocked")
	if _, err := shop.access.Unblock(t.Context(), operator, "demo:meera"); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(on("check-block")), chromedp.WaitVisible(on("total")), chromedp.WaitVisible(on("import")))
	b.wantNoErrors()
}

func TestPageOfAUserWhoMayNotImportShowsTheRest(t *testing.T) {
	t.Parallel()
	refuse := func(w http.ResponseWriter, r *http.Request) bool { // as with access.block_covers: tokens
		if r.URL.Path != "/v1/token" {
			return false
		}
		http.Error(w, `{"code":"subject_blocked"}`, http.StatusForbidden)
		return true
	}
	shop := openDemo(t, refuse)
	shop.save(t, "asha", statementJSON("CAMS", "AAAPZ9999A", "01", `[{"name":"Example Fund","units":1,"value":10}]`))
	b := openTab(t, desktop)
	b.enter(shop.URL, "asha")
	b.do(chromedp.Click(on("import")))
	has(t, b.notice("bad"), "blocked", "Contact support")
	b.do(chromedp.WaitVisible(on("total")), chromedp.WaitVisible(on("statement")))
	if got := b.texts("notice-action"); len(got) != 0 {
		t.Errorf("got the button %q, want none: another attempt would fail, too", got)
	}
	b.wantNoErrors()
}

func TestDemoUsersAreTheInvestorsOfTheSandbox(t *testing.T) {
	t.Parallel()
	var users, investors []string
	for _, u := range demo.Users {
		users = append(users, u.ID+" "+u.Name)
	}
	for _, p := range sandbox.Personas() {
		investors = append(investors, p.ID+" "+p.Name)
	}
	if !slices.Equal(users, investors) {
		t.Errorf("got the users %q, want the investors %q, whose samples the page offers", users, investors)
	}
}
