package app_test

import (
	"testing"

	"github.com/chromedp/chromedp"
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

func TestConsoleIsAccessible(t *testing.T) {
	t.Parallel()
	b, page, key := openConsole(t, desktop)
	b.token(t, "asha")
	page.wantAccessible("sign-in")
	page.signInOperator(key)
	for _, path := range []string{"", "usage", "users", "users/app:asha", "grants", "audit", "webhooks", "settings"} {
		page.do(chromedp.Navigate(b.URL+"/console/"+path), chromedp.WaitVisible(on("who")))
		page.wantAccessible("/console/" + path)
	}
}
