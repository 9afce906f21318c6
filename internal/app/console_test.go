package app_test

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/secret"
)

// openConsole runs a broker with the operator meera, and opens its console.
func openConsole(t *testing.T, l look) (*broker, *tab, string) {
	t.Helper()
	settings, _ := settingsFor(t, secret.URL("sqlite:"+filepath.Join(t.TempDir(), "broker.db")), "memory")
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	page := openTab(t, l)
	page.do(chromedp.Navigate(b.URL+"/console/"), chromedp.WaitVisible(on("key")))
	return b, page, key
}

// follow clicks and waits for the page that comes then, which has this data-testid
// where the one before has not.
func (b *tab) follow(link chromedp.CSS, id string) {
	b.t.Helper()
	b.do(chromedp.Click(link))
	there := chromedp.Evaluate[bool](`document.readyState === "complete" && document.querySelector('` + string(on(id)) + `') !== null`)
	within(b.t, patience, "the page with "+id+" is there", func() bool {
		ok, err := chromedp.Run(b.ctx, there) // which fails while one page takes the place of the other
		return err == nil && ok
	})
}

// admit signs the operator in.
func (b *tab) admit(key string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(on("key"), key))
	b.follow(on("sign-in"), "who")
}

// show takes a picture of a page, which has to fit the screen and keep its policy.
func (b *tab) show(name string) {
	b.t.Helper()
	b.picture("console-" + name)
	if wide := read(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
		b.t.Errorf("the page %s is wider than the screen", name)
	}
	b.calm()
}

func TestAnOperatorFindsBlocksAndUnblocksAUserInTheConsole(t *testing.T) {
	t.Parallel()
	for _, l := range []look{desk, {"wide-dark", 1280, 860, "dark"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 360, 740, "dark"}} {
		if l != desk && *screenshots == "" && l.name != "phone-dark" {
			continue
		}
		t.Run(l.name, func(t *testing.T) { walkTheConsole(t, l) })
	}
}

func walkTheConsole(t *testing.T, l look) {
	b, page, key := openConsole(t, l)
	before := b.token(t, "asha")
	b.token(t, "rohan")

	page.do(chromedp.SendKeys(on("key"), key+"x"))
	page.follow(on("sign-in"), "error")
	has(t, read(page, chromedp.Text(on("error"))), "not a valid admin key", "wrong_key")
	page.show("1-wrong-key")
	page.admit(key)
	has(t, read(page, chromedp.Text(on("live"))), "2")
	page.show("2-overview")

	page.follow(on("nav-users"), "users")
	page.do(chromedp.SendKeys(on("q"), "app:ash"))
	page.follow(on("search"), "absent")
	page.show("3-users")
	page.follow(chromedp.CSS(`[data-testid=user-row] a`), "timeline")
	has(t, read(page, chromedp.Text(on("grants"))), "Active", before.GrantID)
	page.show("4-user")

	page.follow(on("block"), "vendor-limit")
	page.do(chromedp.Click(on("for-1h")), chromedp.SendKeys(on("reason"), "Her phone was stolen."))
	page.show("5-block")
	page.follow(on("confirm"), "notice")
	has(t, read(page, chromedp.Text(on("notice"))), "The user is blocked", "at the vendor until")
	has(t, read(page, chromedp.Text(on("block-notice"))), "Her phone was stolen.", "admin/meera")
	page.show("6-blocked")
	if !b.blocked(t, "asha") || b.blocked(t, "rohan") {
		t.Error("asha is not refused, or rohan is")
	}

	page.follow(on("unblock"), "confirm-form")
	page.follow(on("confirm"), "not-blocked")
	if after := b.token(t, "asha"); after.AccessToken == before.AccessToken {
		t.Error("the token from before the block was given again")
	}
	page.show("7-unblocked")
	page.follow(on("trail"), "records")
	has(t, read(page, chromedp.Text(on("records"))), "User blocked", "User unblocked", "admin/meera", "Token minted")
	page.show("8-audit")
	page.follow(on("nav-grants"), "filter-state")
	page.show("9-grants")
	page.follow(on("nav-settings"), "version")
	page.show("10-settings")
	page.follow(on("nav-overview"), "live")
	page.follow(on("revoke-all"), "phrase")
	page.show("11-revoke-all")
	page.follow(on("sign-out"), "key")
	page.do(chromedp.Navigate(b.URL+"/console/audit"), chromedp.WaitVisible(on("key")))
	page.calm()
}

func TestTheOverviewOfAnOperatorRefreshesItselfAndDisturbsNothing(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desk)
	page.admit(key)
	const look = `document.dispatchEvent(new Event("visibilitychange"))` // as if the tab had come to the front
	page.do(chromedp.Click(chromedp.CSS(`[data-testid=chart-vendor] summary`)))
	page.do(until(`document.querySelector("[data-testid=chart-vendor] details").open`))
	page.do(until(`(window.kept = document.querySelector("[data-testid=chart-vendor] table")) && (window.at = scrollY, true)`))

	b.token(t, "asha")
	page.do(until(look + ` && document.querySelector("[data-testid=live]").textContent === "1"`))
	same := `document.querySelector("[data-testid=chart-vendor] details").open && document.activeElement.matches("[data-testid=chart-vendor] summary") &&
		window.kept === document.querySelector("[data-testid=chart-vendor] table") && window.at === scrollY`
	if !read(page, chromedp.Evaluate[bool](same)) {
		t.Error("what was open, in focus or in view is not any more")
	}
	if title := read(page, chromedp.Evaluate[string](`document.querySelector("[data-refresh=updated] time").title`)); title == "" {
		t.Error("the reader's own time is gone")
	}

	page.do(until(`fetch("/console/sign-out", {method: "POST"}).then(() => true)`))
	page.do(until(look + ` && document.getElementById("refreshing").textContent.includes("session has ended")`))
	page.follow(chromedp.CSS("#refreshing a"), "ended")
	page.calm()
}
