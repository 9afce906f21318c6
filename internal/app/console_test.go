package app_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// openConsole runs a broker with the operator meera and opens its console.
func openConsole(t *testing.T, l display) (*broker, *tab, string) {
	t.Helper()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	page := openTab(t, l)
	page.do(chromedp.Navigate(b.URL+"/console/"), chromedp.WaitVisible(on("key")))
	return b, page, key
}

// follow clicks a link or a button and waits until the page that it leads to is loaded, which
// has an element with this data-testid. The current page may have one, too.
func (b *tab) follow(link chromedp.CSS, id string) {
	b.t.Helper()
	b.do(until(`(window.left = true)`), chromedp.Click(link))
	there := chromedp.Evaluate[bool](`!window.left && document.readyState === "complete" && document.querySelector('` + string(on(id)) + `') !== null`)
	within(b.t, stepTimeout, "the page with "+id+" is there", func() bool {
		ok, err := chromedp.Run(b.ctx, there) // fails while the page is being replaced
		return err == nil && ok
	})
}

// signInOperator signs the operator in.
func (b *tab) signInOperator(key string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(on("key"), key))
	b.follow(on("sign-in"), "who")
}

// checkPage fails the test if a page is wider than the screen, or than others, or violates its
// policy, and takes screenshots.
func (b *tab) checkPage(name string, others ...display) {
	b.t.Helper()
	own := b.look
	for i, l := range append([]display{own}, others...) {
		if i > 0 {
			b.change(l)
		}
		b.screenshot("console-" + name)
		if wide := read(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
			b.t.Errorf("the page %s is wider than the screen %s", name, l.name)
		}
	}
	if len(others) > 0 {
		b.change(own)
	}
	b.wantNoErrors()
}

func TestOperatorBlocksAndUnblocksAUserInTheConsole(t *testing.T) {
	t.Parallel()
	for _, l := range []display{desktop, {"wide-dark", 1280, 860, "dark"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 360, 740, "dark"}} {
		if l != desktop && *screenshots == "" { // TestConsoleIsAccessibleAndFits has phones, and dark pages
			continue
		}
		t.Run(l.name, func(t *testing.T) { walkTheConsole(t, l) })
	}
}

func walkTheConsole(t *testing.T, l display) {
	b, page, key := openConsole(t, l)
	before := b.token(t, "asha")
	b.token(t, "rohan")

	page.do(chromedp.SendKeys(on("key"), key+"x"))
	page.follow(on("sign-in"), "error")
	has(t, read(page, chromedp.Text(on("error"))), "not a valid admin key", "wrong_key")
	page.checkPage("1-wrong-key")
	page.signInOperator(key)
	has(t, read(page, chromedp.Text(on("live"))), "2")
	page.checkPage("2-overview")

	page.follow(on("nav-users"), "users")
	page.do(chromedp.SendKeys(on("q"), "app:ash"))
	page.follow(on("search"), "absent")
	page.checkPage("3-users")
	page.follow(chromedp.CSS(`[data-testid=user-row] a`), "timeline")
	has(t, read(page, chromedp.Text(on("grants"))), "Active", before.GrantID)
	page.checkPage("4-user")

	page.follow(on("block"), "vendor-limit")
	page.do(chromedp.Click(on("for-1h")), chromedp.SendKeys(on("reason"), "Her phone was stolen."))
	page.checkPage("5-block")
	page.follow(on("confirm"), "notice")
	has(t, read(page, chromedp.Text(on("notice"))), "The user is blocked", "at the vendor until")
	has(t, read(page, chromedp.Text(on("block-notice"))), "Her phone was stolen.", "admin/meera")
	page.checkPage("6-blocked")
	if !b.blocked(t, "asha") || b.blocked(t, "rohan") {
		t.Error("want asha refused and rohan served")
	}

	page.follow(on("unblock"), "confirm-form")
	page.follow(on("confirm"), "not-blocked")
	if after := b.token(t, "asha"); after.AccessToken == before.AccessToken {
		t.Error("the token from before the block was reused")
	}
	page.checkPage("7-unblocked")
	page.follow(on("trail"), "records")
	has(t, read(page, chromedp.Text(on("records"))), "User blocked", "User unblocked", "admin/meera", "Token minted")
	page.checkPage("8-audit")
	page.follow(on("nav-grants"), "filter-state")
	page.checkPage("9-grants")
	page.follow(on("nav-settings"), "version")
	page.checkPage("10-settings")
	page.follow(on("nav-usage"), "no-budgets")
	page.checkPage("12-usage")
	page.follow(on("nav-overview"), "live")
	page.follow(on("revoke-all"), "phrase")
	page.checkPage("11-revoke-all")
	page.follow(on("sign-out"), "key")
	page.do(chromedp.Navigate(b.URL+"/console/audit"), chromedp.WaitVisible(on("key")))
	page.wantNoErrors()
}

func TestConsoleOverviewRefreshesWithoutDisturbingTheReader(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desktop)
	page.signInOperator(key)
	const look = `document.dispatchEvent(new Event("visibilitychange"))` // as when the tab becomes visible
	page.do(chromedp.Click(chromedp.CSS(`[data-testid=chart-vendor] summary`)))
	page.do(until(`document.querySelector("[data-testid=chart-vendor] details").open`))
	page.do(until(`(window.kept = document.querySelector("[data-testid=chart-vendor] table")) && (window.at = scrollY, true)`))

	b.token(t, "asha")
	page.do(until(look + ` && document.querySelector("[data-testid=live]").textContent === "1"`))
	same := `document.querySelector("[data-testid=chart-vendor] details").open && document.activeElement.matches("[data-testid=chart-vendor] summary") &&
		window.kept === document.querySelector("[data-testid=chart-vendor] table") && window.at === scrollY`
	if !read(page, chromedp.Evaluate[bool](same)) {
		t.Error("want the same element open, focused and in view")
	}
	if title := read(page, chromedp.Evaluate[string](`document.querySelector("#updated time").title`)); title == "" {
		t.Error("want the reader's local time kept")
	}

	page.do(until(`fetch("/console/sign-out", {method: "POST"}).then(() => true)`))
	page.do(until(look + ` && document.getElementById("refreshing").textContent.includes("session has ended")`))
	page.follow(chromedp.CSS("#refreshing a"), "ended")
	page.wantNoErrors()
}

func TestOperatorSendsEventsAgainInTheConsole(t *testing.T) {
	t.Parallel()
	wide, small := display{"wide", 1400, 900, "light"}, display{"narrow", 390, 844, "dark"}
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	settings.Webhooks.AllowPrivate = []string{"127.0.0.0/8"}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	settings.Webhooks.Endpoints = []config.Webhook{
		{Name: "crm", URL: secret.Text(receiver.URL), Secrets: []config.Secret{{Secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}}},
	}
	b := start(t, settings)
	b.token(t, "asha")
	b.call(t, "asha", http.MethodPost, "/v1/token/revoke", "").must(t, http.StatusOK)
	page := openTab(t, wide)
	page.do(chromedp.Navigate(b.URL+"/console/"), chromedp.WaitVisible(on("key")))
	page.signInOperator(key)
	page.follow(on("nav-webhooks"), "webhooks")
	has(t, read(page, chromedp.Text(on("webhooks"))), "crm", "Enabled", "settings")
	page.checkPage("13-webhooks", small)
	page.follow(on("webhook-crm"), "replay-form")
	within(t, stepTimeout, "the event is delivered", func() bool {
		page.do(chromedp.Navigate(b.URL+"/console/webhooks/crm"), chromedp.WaitVisible(on("replay-form")))
		return read(page, chromedp.Evaluate[bool](`document.querySelector("[data-testid=delivery] .state.active") !== null`))
	})
	has(t, read(page, chromedp.Text(on("deliveries"))), "token.revoked", "app:asha", "Delivered", "204")
	page.checkPage("14-webhook", small)
	page.follow(on("test"), "tested")
	has(t, read(page, chromedp.Text(on("tested"))), "took the test message", "204")
	page.checkPage("15-webhook-tested", small)
	page.follow(on("disable"), "enable")
	has(t, read(page, chromedp.Text(on("disabled"))), "by an operator")
	page.checkPage("16-webhook-disabled", small)
	page.follow(on("enable"), "notice")
	page.do(chromedp.SendKeys(on("event-id"), "ev_none"))
	page.follow(on("replay"), "error")
	page.checkPage("17-webhook-replay-refused", small)
}
