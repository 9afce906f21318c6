package console_test

import (
	"context"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin"
	"casbroker/internal/admin/console"
	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/usage"
	"casbroker/web"
)

// hostile are ids that need escaping.
var hostile = []string{
	"app:a/b", "app:<script>alert(1)</script>", `app:"onmouseover="x`, "app:100%", "app:%2F", "app:a b?c#d&e=f;g,h+i", "app:😀",
	"app:\u202eevil", "app:../../v1", "app:'", "app:{{.}}", "app:" + strings.Repeat("ж", 128), `app:\`,
}

// escaped returns text as HTML.
func escaped(text string) string { return strings.ReplaceAll(html.EscapeString(text), "+", "&#43;") }

// displayed returns an id of hostile as pages show it.
func displayed(subject string) string {
	return escaped(strings.ReplaceAll(subject, "\u202e", "⟨U+202E⟩"))
}

func TestUserWithHostileIDCanBeFoundShownBlockedAndRevoked(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for _, subject := range hostile {
		o.give(subject, time.Minute)
		list := b.get("/console/users?q=" + url.QueryEscape(subject))
		expect(t, list, http.StatusOK, "<bdi>"+displayed(subject)+"</bdi>")
		link := regexp.MustCompile(`<a class="id" href="(/console/users/[^"]+)"`).FindStringSubmatch(list.body)
		if link == nil || strings.Contains(list.body, `data-testid="absent"`) {
			t.Fatalf("%q has no link: %s", subject, list.body)
		}
		page := html.UnescapeString(link[1])
		expect(t, b.get(page), http.StatusOK, displayed(subject), "1 active token")
		expect(t, b.get(page+"/block"), http.StatusOK, ">1 active token</span> is revoked now")
		if a := b.post(page+"/block", "for", "1h", "reason", subject); a.status != http.StatusSeeOther {
			t.Fatalf("block %q: %d %s", subject, a.status, a.body)
		}
		after := b.get(page)
		expect(t, after, http.StatusOK, "Blocked until", "Reason: <bdi>"+escaped(subject)+"</bdi>", `data-testid="notice"`)
		if state, err := o.admin.Access.ActiveBlock(t.Context(), subject); err != nil || state == nil {
			t.Errorf("%q is not blocked: %v", subject, err)
		}
		if a := b.post(page+"/revoke", "", ""); a.status != http.StatusSeeOther || a.to() == "" {
			t.Errorf("revoke %q: %d", subject, a.status)
		}
		expect(t, b.get("/console/grants?subject="+url.QueryEscape(subject)), http.StatusOK, displayed(subject), "Revoked")
		expect(t, b.get("/console/audit?action=access.block&subject="+url.QueryEscape(subject)), http.StatusOK, "User blocked", displayed(subject))
		for _, page := range []answer{list, after} {
			if strings.Contains(page.body, "<script>alert") || strings.Contains(page.body, `"onmouseover`) {
				t.Errorf("%q got into the markup", subject)
			}
		}
	}
}

func TestEveryPageHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", time.Minute)
	b := o.signedIn()
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]|javascript:`)
	for _, path := range []string{
		"/console/", "/console/?range=month", "/console/users", "/console/users/app:asha", "/console/users/app:asha/block",
		"/console/users/app:asha/revoke", "/console/users/app:asha/unblock", "/console/grants", "/console/audit", "/console/settings", "/console/log-level", "/console/revoke-all",
		"/console/webhooks", "/console/webhooks/none", "/console/usage", "/console/usage?range=quarter", "/console/budgets/user-day/raise", "/console/budgets/none/raise",
		"/console/sign-in?x", "/console/nothing", "/console/grants/gr_none", "/console/grants?cursor=x",
	} {
		a := b.get(path)
		h := a.header
		if h.Get("Content-Security-Policy") != policy || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %v", path, h)
		}
		if a.status != http.StatusSeeOther && !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			t.Errorf("%s is %s", path, h.Get("Content-Type"))
		}
		if found := inline.FindString(a.body); found != "" {
			t.Errorf("%s contains inline code: %q", path, found)
		}
	}
	for name, media := range map[string]string{"console.js": "text/javascript", "console.css": "text/css", "look.css": "text/css", "chart.css": "text/css", "icon.svg": "image/svg+xml"} {
		a := o.browser().get("/console/assets/" + name)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), media) || a.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: got %d %v", name, a.status, a.header)
		}
	}
	for _, hidden := range []string{"/console/assets/layout.html", "/console/layout.html", "/console/assets/../layout.html", "/console/assets/%2e%2e/layout.html", "/console/assets/"} {
		if a := o.browser().get(hidden); a.status == http.StatusOK || strings.Contains(a.body, "{{") {
			t.Errorf("%s: got %d, want it hidden", hidden, a.status)
		}
	}
	if a := o.browser().get("/console"); a.status != http.StatusMovedPermanently || a.to() != "/console/" {
		t.Errorf("/console redirects to %q", a.to())
	}
}

func TestErrorsAreShownAsPages(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	expect(t, b.get("/console/nothing"), http.StatusNotFound, "There is no page", `data-testid="who"`, `data-testid="problem"`)
	expect(t, b.get("/console/nothing"), http.StatusNotFound, "<title>Not found – casbroker console</title>")
	expect(t, b.get("/console/grants/gr_unknown"), http.StatusNotFound, "no grant with this id", "grant_not_found", "req_")
	expect(t, b.get("/console/?range=year"), http.StatusOK, "Last hour, in UTC")
	expect(t, b.get("/console/audit/export?format=pdf"), http.StatusBadRequest, "ndjson or csv", `data-testid="problem"`)
	expect(t, b.get("/console/users/"+strings.Repeat("x", 300)), http.StatusUnprocessableEntity, "invalid_subject")
	for _, path := range []string{"/console/users/asha", "/console/users/asha/block", "/console/users/asha/revoke"} {
		expect(t, b.get(path), http.StatusUnprocessableEntity, "such as demo:42", `data-testid="find"`)
	}
	expect(t, b.get("/console/grants?subject=app%3Aasha&state=dead&from=2026-04-01T10:00"), http.StatusBadRequest,
		"Choose one of the states", `value="app:asha"`, `value="2026-04-01T10:00"`, `role="alert"`)
	expect(t, b.get("/console/grants?from=tomorrow"), http.StatusBadRequest, "a date and a time in UTC", `aria-invalid="true"`)
	for _, page := range []string{"grants?state=revoked&from=1969-12-31T23:59", "grants?to=1969-12-31T23:59", "audit?from=1969-12-31T23:59"} {
		expect(t, b.get("/console/"+page), http.StatusBadRequest, "from 1970 on", `aria-invalid="true"`)
	}
	expect(t, b.get("/console/grants?cursor=!&subject=app%3Aasha"), http.StatusBadRequest, "Begin with the newest", `value="app:asha"`)
	expect(t, b.get("/console/audit?cursor=!&actor=admin%2Fmeera"), http.StatusBadRequest, "Begin with the newest", `value="admin/meera"`)
	expect(t, b.get("/console/users?cursor=!&q=app"), http.StatusBadRequest, "Begin with the newest", `value="app"`)
}

func TestUnsupportedMethodIsRefused(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPost, "/console/users", "GET, HEAD"},
		{http.MethodDelete, "/console/users/app:asha/block", "GET, HEAD, POST"},
		{http.MethodPut, "/console/", "GET, HEAD"},
		{http.MethodGet, "/console/sign-out", "POST"},
		{http.MethodPost, "/console/nothing", ""},
	} {
		a := b.do(c.method, c.path, nil, "Origin", o.URL)
		want := http.StatusMethodNotAllowed
		if c.allow == "" {
			want = http.StatusNotFound
		}
		expect(t, a, want, `data-testid="problem"`)
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestDatabaseOutageShowsPageWithRetry(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	if err := o.db.Close(); err != nil {
		t.Fatal(err)
	}
	a := b.get("/console/users?q=app")
	if a.status < 500 || !strings.Contains(a.body, `data-testid="problem"`) || !strings.Contains(a.body, `href="/console/users?q=app"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestRateLimitShowsPageWithWaitAndResend(t *testing.T) {
	t.Parallel()
	o := openConsole(t, func(h *console.Handler) {
		h.Limit = func(echo.HandlerFunc) echo.HandlerFunc {
			return func(echo.Context) error {
				return fault.New(fault.Limited, "rate_limited", "Slow down.").After(time.Second)
			}
		}
	})
	b := o.signedIn()
	a := b.get("/console/users?q=app")
	expect(t, a, http.StatusTooManyRequests, "too many requests", "Wait 1 second and", `data-testid="retry"`, "?q=app", "<title>Too many requests –")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	expect(t, b.post("/console/users/app:asha/block", "for", "1h", "reason", `Her "phone"`), http.StatusTooManyRequests, `data-testid="resend"`,
		`<input type="hidden" name="for" value="1h">`, `<input type="hidden" name="reason" value="Her &#34;phone&#34;">`)
	expect(t, b.post("/console/users/app:asha/revoke"), http.StatusTooManyRequests, `data-testid="resend"`)
	foreign := b.do(http.MethodPost, "/console/users/app:asha/revoke", url.Values{"for": {"1h"}}, "Origin", "https://evil.example")
	if strings.Contains(foreign.body, `data-testid="resend"`) {
		t.Error("the page offers to resend a form of another site")
	}
}

func TestOverviewShowsCurrentStateAndCharts(t *testing.T) {
	t.Parallel()
	o := openConsole(t, func(h *console.Handler) { h.Demo = true })
	o.give("app:asha", time.Minute)
	o.give("app:rohan", 2*time.Minute)
	counts := []usage.Count{
		{Step: usage.Minute, At: begin, Series: usage.Minted, N: 1234},
		{Step: usage.Minute, At: begin, Series: usage.Refused, Label: "<b>reason</b>", N: 3},
		{Step: usage.Minute, At: begin.Add(-30 * time.Minute), Series: usage.Reused, N: 7},
		{Step: usage.Minute, At: begin.Add(-30 * time.Minute), Series: usage.Synthetic, N: 1},
	}
	if err := o.db.AddCounts(t.Context(), counts); err != nil {
		t.Fatal(err)
	}
	b := o.signedIn()
	b.post("/console/users/app:rohan/block", "for", "lifted")
	a := b.get("/console/")
	expect(t, a, http.StatusOK,
		`data-testid="live">1<`, `data-testid="blocked">1<`, `data-testid="credits">1,234.5<`, "of 1,500",
		"<strong>database</strong> <span class=\"health-state\">ok<", ">degraded<", ">down<", "Redis does not answer; each replica keeps its own.",
		"<strong>1,241</strong> issued", "&lt;b&gt;reason&lt;/b&gt;", "synthetic demo data", "2026-04-01 10:30</th>", `class="synthetic"`,
		`<time datetime="2026-04-01T10:30:00Z">2026-04-01 10:30:00 UTC</time>`, `data-refresh="chart-tokens"`, `aria-live="polite"`)
	for _, chart := range []string{"tokens", "refused", "limited", "saved", "vendor", "latency"} {
		expect(t, a, http.StatusOK, `data-testid="chart-`+chart+`"`, `id="desc-`+chart+`"`)
	}
	month := b.get("/console/?range=month")
	expect(t, month, http.StatusOK, "30 days, in UTC", "No data for this period")
	if strings.Contains(month.body, "synthetic demo data</p>") {
		t.Error("the month has synthetic data")
	}
	o.admin.Vendor = vendor{err: errVendor}
	expect(t, b.get("/console/"), http.StatusOK, `data-testid="credits">Unknown<`, "The vendor does not answer.")
}

// uncounted is a store that fails to count grants.
type uncounted struct{ admin.Users }

func (uncounted) LiveGrants(context.Context, time.Time) (int, error) {
	return 0, errors.New("the database is down")
}

func TestUncountableTokensAreNotShownAsZero(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.admin.Users = uncounted{o.db}
	b := o.signedIn()
	expect(t, b.get("/console/"), http.StatusOK, `data-testid="live">–<`, "cannot be counted at the moment", `data-testid="blocked">0<`)
	expect(t, b.get("/console/revoke-all"), http.StatusOK, "The number of tokens is not available", "2026-04-01 11:30:00 UTC</time> at the latest")
}

func TestSettingsMarkChangedValues(t *testing.T) {
	t.Parallel()
	a := openConsole(t, nil).signedIn().get("/console/settings")
	expect(t, a, http.StatusOK, "upstream.url", "https://vendor.example", `<tr class="changed"`, "v1.2.3", "2 settings differ",
		">15 seconds<", ">15s<", ">set, not shown<", ">environment<", ">file<")
	if strings.Count(a.body, `class="changed"`) != 2 {
		t.Error("a default is marked as changed")
	}
}

func TestInvalidTemplateIsAnError(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(fstest.MapFS){
		"missing":       func(m fstest.MapFS) { delete(m, "users.html") },
		"unclosed":      func(m fstest.MapFS) { m["users.html"].Data = []byte(`{{define "content"}}{{if .Body}}`) },
		"unknown field": func(m fstest.MapFS) { m["users.html"].Data = []byte(`{{define "content"}}{{.Body.Nothing}}{{end}}`) },
		"not escapable": func(m fstest.MapFS) { m["users.html"].Data = []byte(`{{define "content"}}<a href="{{.Title}}{{end}}`) },
	} {
		pages := make(fstest.MapFS)
		err := fs.WalkDir(web.Console, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(web.Console, path)
			pages[path] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		damage(pages)
		if _, err := console.ReadFiles(pages); err == nil || !strings.Contains(err.Error(), "users") {
			t.Errorf("%s template: got %v", name, err)
		}
	}
}

func TestReadsOfPersonalDataAreAudited(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	b.get("/console/users/app:asha")
	page, err := o.admin.Trail.Find(t.Context(), audit.Filter{Action: audit.AdminRead, Subject: "app:asha", Actor: "admin/meera"}, "", 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Role != "admin" || page.Entries[0].Address == "" {
		t.Errorf("got the records %+v and %v", page.Entries, err)
	}
}
