package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
	"casbroker/web"
)

// hostPolicy is the strict Content-Security-Policy of a page that has the widget; %s is the
// broker's origin.
const hostPolicy = "default-src 'none'; script-src 'self'; connect-src 'self' %s; img-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// hostPage is an app's page with a button, and hostScript is its script.
const (
	hostPage = `<!doctype html><html lang="en"><head><title>An app</title><meta name="viewport" content="width=device-width">
<script src="/widget/portfolio-connect.js"></script><script src="/page.js"></script></head>
<body><main><h1>An app</h1><button data-testid="start">Import</button></main></body></html>`
	hostScript = `addEventListener("DOMContentLoaded", () => {
	if (PortfolioConnect.isInboxCallbackPage()) { PortfolioConnect.handleInboxCallback(); return; }
	document.querySelector("button").addEventListener("click", () => start());
});
function start() {
	globalThis.calls = [];
	globalThis.eventLog = [];
	globalThis.outcome = undefined;
	const note = (name) => (...values) => calls.push([name, ...values]);
	PortfolioConnect.open({
		onSuccess: note("onSuccess"), onError: note("onError"), onExit: note("onExit"), onOpen: note("onOpen"),
		onEvent: (...event) => eventLog.push(event), ...globalThis.options,
	}).then((result) => { globalThis.outcome = result; });
}`
)

// host is an app's page that has the widget, with a broker of another origin, whose gateway
// the widget calls.
type host struct {
	*tab
	broker   *broker
	settings config.Config
	vendor   *sandbox.Sandbox
	token    string // of asha
	url      string
	seen     map[string]bool // steps of the widget that were checked
}

// openHost opens the page.
func openHost(t *testing.T, l display) *host {
	t.Helper()
	h := &host{seen: map[string]bool{}}
	page := httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(page.Close)
	h.url = page.URL
	at, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.settings, h.vendor = settingsWith(t, secret.URL(storetest.SQLite(t)), "memory", sandbox.Options{})
	allFeatures(&h.settings)
	h.settings.Server.AllowedOrigins = []string{page.URL}
	h.settings.Gateway.RedirectHosts = []string{at.Host}
	h.broker = start(t, h.settings)
	h.token = h.broker.gatewayToken(t, "asha", "").AccessToken
	h.tab = openTab(t, l)
	h.do(chromedp.Navigate(page.URL), chromedp.WaitVisible(on("start")), until(`typeof PortfolioConnect === "object"`))
	return h
}

// serve serves the page, also as the one that the mail provider sends the browser back to.
func (h *host) serve(w http.ResponseWriter, r *http.Request) {
	origin := ""
	if h.broker != nil {
		origin = h.broker.URL
	}
	w.Header().Set("Content-Security-Policy", fmt.Sprintf(hostPolicy, origin))
	switch r.URL.Path {
	case "/", "/back":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(hostPage))
	case "/page.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(hostScript))
	default:
		http.StripPrefix("/widget/", http.FileServerFS(web.Widget)).ServeHTTP(w, r)
	}
}
