package app_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/credit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

func TestDemoPageIsAccessibleAlsoWithTheWidgetOpen(t *testing.T) {
	t.Parallel()
	shop := openDemo(t, nil)
	b := openTab(t, display{"phone-light", 390, 844, "light"})
	b.do(chromedp.Navigate(shop.URL), chromedp.WaitVisible(on("user-asha")))
	b.wantAccessible("before the sign-in")
	b.signIn(shop.URL, "asha")
	b.wantAccessible("without statements")
	b.choose(statement(t, "asha-nsdl"))
	b.wantAccessible("the widget is open")
	b.parse("any")
	b.notice("good")
	b.wantAccessible("with a statement")
}

// consoleSettings are settings with a budget, a webhook and hosted links, so that no page of the
// console is empty.
func consoleSettings(t *testing.T) (config.Config, string) {
	t.Helper()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	settings.Budgets = []config.Budget{{Name: "all-day", Scope: config.ScopeAll, Period: config.PeriodDay, Credits: config.Credits(50 * credit.One), Soft: true}, {Name: "user-month", Scope: config.ScopeUser, Period: config.PeriodMonth, Credits: config.Credits(20 * credit.One)}}
	settings.Webhooks.AllowPrivate = []string{"127.0.0.0/8"}
	settings.Webhooks.Endpoints = []config.Webhook{
		{Name: "crm", URL: "http://127.0.0.1:9/", Secrets: []config.Secret{{Secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}}},
	}
	return settings, key
}

func TestConsoleIsAccessibleAndFits(t *testing.T) {
	t.Parallel()
	settings, key := consoleSettings(t)
	withLinks(&settings)
	b := start(t, settings)
	grant, hosted := b.token(t, "asha"), b.newLink(t, "")
	b.token(t, strings.Repeat("long-id-without-a-space", 8))
	page := openTab(t, desktop)
	page.do(chromedp.Navigate(b.URL+"/console/"), chromedp.WaitVisible(on("key")))
	page.wantAccessible("sign-in")
	page.signInOperator(key)
	page.setMedia("prefers-reduced-motion", "reduce")
	if motion := read(page, chromedp.Evaluate[string](`[...document.querySelectorAll("a, button")].map((e) => getComputedStyle(e).transitionDuration).filter((d) => d !== "0s").join()`)); motion != "" {
		t.Errorf("got transitions of %s with reduced motion", motion)
	}
	for i, path := range []string{
		"", "usage", "users?q=nobody", "users/app:asha", "users/app:asha/block", "links/" + hosted.ID + "/revoke", "grants/" + grant.GrantID,
		"grants?state=x", "audit?action=all", "webhooks", "webhooks/crm", "budgets/user-month/raise", "settings", "log-level", "revoke-all", "nothing",
	} {
		scheme := []string{"light", "dark"}[i%2]
		page.setScheme(scheme)
		page.do(chromedp.Navigate(b.URL+"/console/"+path), chromedp.WaitVisible(on("who")))
		page.screenshot("console-axe-" + strings.NewReplacer("/", "-", "?", "-").Replace(path))
		for _, finding := range page.axe() {
			t.Errorf("/console/%s, %s: %s", path, scheme, finding)
		}
		page.wantFits("/console/" + path)
	}
	page.do(chromedp.Navigate(b.URL+"/console/settings"), chromedp.WaitVisible(on("who")))
	page.do(chromedp.SendKeys(on("find-q"), hosted.ID))
	page.follow(on("find"), "links")
	has(t, read(page, chromedp.Text(on("links"))), hosted.ID, "Revoke")
	page.wantNoErrors()
}
