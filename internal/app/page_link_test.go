package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// linkSite is a broker with hosted links, and what stands between it and browsers.
type linkSite struct {
	*broker
	vendor *sandbox.Sandbox
	public string // its URL for browsers

	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request) bool // may answer a request instead
	asked  []string
}

// openLinkSite runs a broker with hosted links until the test ends.
func openLinkSite(t *testing.T, change ...func(*config.Config)) *linkSite {
	t.Helper()
	settings, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	withLinks(&settings)
	settings.Web.StandIn = true
	s := &linkSite{vendor: vendor}
	proxy := httptest.NewServer(s)
	t.Cleanup(proxy.Close)
	settings.Server.PublicURL, s.public = proxy.URL, proxy.URL
	settings.Link.ReturnURLs = []string{proxy.URL + "/healthz", "https://app.example/done"}
	for _, f := range change {
		f(&settings)
	}
	s.broker = start(t, settings)
	return s
}

// ServeHTTP passes requests on to the broker.
func (s *linkSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI()+" "+r.Referer())
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	to, err := url.Parse(s.URL)
	if err != nil {
		panic(err)
	}
	(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to); p.Out.Host = p.In.Host }}).ServeHTTP(w, r)
}

// answer has f answer requests at path from now on; nil lets them pass.
func (s *linkSite) answer(path string, f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = nil
	if f != nil {
		s.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				f(w, r)
			}
			return r.URL.Path == path
		}
	}
}

// waitFor waits until the page shows a state.
func (b *tab) waitFor(state string) {
	b.t.Helper()
	b.do(until(fmt.Sprintf(`document.documentElement.dataset.state === %q`, state)))
}

// shows checks the texts of the page, the accessibility and the width of a state.
func (b *tab) shows(name, state string, parts ...string) {
	b.t.Helper()
	b.waitFor(state)
	b.screenshot("link-" + name)
	has(b.t, read(b, chromedp.Evaluate[string](`document.querySelector("main").innerText`)), parts...)
	if *screenshots == "" {
		b.wantFits(name)
	}
	b.wantAccessible(name)
}

// importFile gives the widget a file and its password.
func (b *tab) importFile(source string) {
	b.t.Helper()
	b.do(chromedp.WaitEnabled(in("file")), chromedp.SetUploadFiles(in("file"), []string{statement(b.t, source)}),
		until(string(in("picked"))+`.textContent.includes("kB")`))
	b.parse("AAAPZ9999A")
}

func TestPersonImportsWithALinkInEitherLanguage(t *testing.T) {
	t.Parallel()
	for language, texts := range map[string][]string{
		"en": {"Connect your investments to Example Invest", "What Example Invest keeps, and why", "Start", "Done. Your statement is saved", "You can close this page."},
		"hi": {"अपने निवेश Example Invest से जोड़ें", "Example Invest क्या रखता है, और क्यों", "शुरू करें", "हो गया। आपका स्टेटमेंट सेव हो गया है", "आप यह पेज बंद कर सकते हैं।"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := openLinkSite(t)
			l := s.newLink(t, `{"language":"`+language+`","prefill":{"pan":"AAAPZ9999A"}}`)
			b := openTab(t, map[string]display{"en": {"phone-light", 390, 844, "light"}, "hi": {"phone-dark", 360, 740, "dark"}}[language])
			b.do(chromedp.Navigate(l.URL))
			b.shows("ready-"+language, "ready", texts[:3]...)
			if at := read(b, chromedp.Evaluate[string](`location.href + document.referrer + document.title`)); strings.Contains(at, l.token()) {
				t.Errorf("got %s, want no token in the address bar", at)
			}
			b.do(chromedp.Reload())
			b.waitFor("ready")
			b.do(chromedp.Click(on("start")))
			b.importFile("cdsl")
			b.shows("saved-"+language, "saved", texts[3:]...)
			now := s.linkNow(t, l)
			if now.State != "completed" || now.PortfolioID != s.latest(t, "asha").ID {
				t.Errorf("got %+v, want it completed", now)
			}
			within(t, stepTimeout, "the steps", func() bool {
				steps := fmt.Sprint(s.linkNow(t, l).Sessions[0].Steps)
				return strings.Contains(steps, "widget_opened") && strings.Contains(steps, "parse_success") && strings.Contains(steps, "saved")
			})
			b.do(chromedp.Reload())
			b.waitFor("completed")
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, asked := range s.asked {
				if strings.Contains(asked, l.token()) && asked != "GET /connect/"+l.token()+" " {
					t.Errorf("got the token in %s", asked)
				}
			}
			b.wantNoErrors()
		})
	}
}

func TestPageOfALinkReturnsToTheApp(t *testing.T) {
	t.Parallel()
	s := openLinkSite(t)
	l := s.newLink(t, `{"return_url":"`+s.public+`/healthz?from=mail"}`)
	b := openTab(t, desktop)
	b.do(chromedp.Navigate(l.URL))
	b.waitFor("ready")
	b.do(chromedp.Click(on("start")), chromedp.WaitEnabled(in("file")), chromedp.Click(in("close")))
	b.shows("closed", "closed", "Not finished yet", "Start again", "Go back to Example Invest without importing")
	b.do(chromedp.Click(on("start")))
	b.importFile("nsdl")
	within(t, stepTimeout, "the app's page", func() bool { // a poll on the page would end with it
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname`))
		return err == nil && at == "/healthz"
	})
	want := "?from=mail&status=saved&link_id=" + l.ID
	if got := read(b, chromedp.Evaluate[string](`location.search`)); got != want {
		t.Errorf("returned with %s, want %s", got, want)
	}
}

func TestPageOfALinkSaysWhyItCannotGoOn(t *testing.T) {
	t.Parallel()
	s := openLinkSite(t)
	operator := bearerAs(t, "olga", "casbroker:admin")
	problem := func(status int, code, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"x","request_id":"req_1"}`, status, code)
		}
	}
	b := openTab(t, display{"phone-light", 390, 844, "light"})
	open := func(l hostedLink) { b.do(chromedp.Navigate(l.URL)) }

	open(hostedLink{URL: s.public + "/connect/link"})
	b.shows("missing", "missing", "Open your link again")
	open(hostedLink{URL: s.public + "/connect/link?state=pc_1&inbox_token=secret"})
	b.shows("mailbox", "mailbox", "Go on in the importer")
	if at := read(b, chromedp.Evaluate[string](`location.href`)); strings.Contains(at, "secret") {
		t.Errorf("got %s, want no secret in the address bar", at)
	}
	open(hostedLink{URL: s.public + "/connect/cbl_short"})
	b.shows("unknown", "unknown", "not valid")

	l := s.newLink(t, `{"return_url":"https://app.example/done"}`)
	s.asService(t, http.MethodDelete, linksPath+"/"+l.ID, "").must(t, 200)
	open(l)
	b.shows("revoked", "revoked", "withdrawn", "Go back to Example Invest")
	if to := read(b, chromedp.Evaluate[string](`document.getElementById("back").href`)); to != "https://app.example/done?status=revoked&link_id="+l.ID {
		t.Errorf("the app is at %s", to)
	}

	l = s.newLink(t, `{"use":"once"}`)
	s.startLink(t, l)
	open(l)
	b.shows("used", "used", "another browser")

	l = s.newLink(t, "")
	s.startLink(t, l).save(t, small(1), "k").must(t, 201)
	open(l)
	b.shows("completed", "completed", "done already")

	l = s.newLink(t, "")
	open(l)
	b.waitFor("ready")
	for _, c := range []struct {
		path, state string
		answer      http.HandlerFunc
		says        []string
	}{
		{"/connect/session", "limited", problem(429, "rate_limited", "75"), []string{"Too many attempts", "You can go on in", "seconds", "Please wait"}},
		{"/connect/session/token", "budget", problem(402, "budget_exhausted", "3600"), []string{"Imports are paused", "For support: req_1"}},
		{"/connect/session", "expired", problem(403, "link_expired", ""), []string{"expired"}},
		{"/widget/portfolio-connect.js", "widget", http.NotFound, []string{"did not load", "Try again"}},
		{"/connect/session/token", "failed", problem(422, "x", ""), []string{"Try again"}},
		{"/connect/session", "network", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []string{"cannot reach"}},
	} {
		s.answer("", nil)
		open(l)
		b.waitFor("ready")
		s.answer(c.path, c.answer)
		b.do(chromedp.Click(on("start")))
		b.shows(c.state, c.state, c.says...)
	}
	s.answer("", nil)
	b.do(chromedp.Click(on("start")), chromedp.WaitEnabled(in("file")))
	s.as(t, operator, http.MethodPost, "/admin/v1/users/app:asha/block", `{"reason":"x"}`).must(t, 200)
	b.importFile("cdsl")
	b.shows("blocked", "blocked", "blocked for your account", "Contact the support of Example Invest")

	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.asked, func(asked string) bool {
		return strings.Contains(asked, "/v1/") && !strings.Contains(asked, "/gateway")
	}); i >= 0 {
		t.Errorf("the page has asked for %s", s.asked[i])
	}
	b.wantNoErrors()
}
