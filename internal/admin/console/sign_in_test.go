package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/admin/console"
	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/fault"
)

func TestOperatorSignsInContinuesAndSignsOut(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.browser()
	sent := b.get("/console/users/app:%2F1?x=y")
	if sent.status != http.StatusSeeOther || sent.to() != "/console/sign-in?next=%2Fconsole%2Fusers%2Fapp%3A%252F1%3Fx%3Dy" {
		t.Fatalf("without a session: %d to %s", sent.status, sent.to())
	}
	form := b.get(sent.to())
	expect(t, form, http.StatusOK, `name="next" value="/console/users/app:%2F1?x=y"`, `type="password"`, `autocomplete="current-password"`)
	if strings.Contains(form.body, "has ended") {
		t.Error("the page says that a session has ended")
	}
	in := b.post("/console/sign-in", "key", " "+o.key.Reveal()+"\n", "next", "/console/users/app:%2F1?x=y")
	if in.status != http.StatusSeeOther || in.to() != "/console/users/app:%2F1?x=y" {
		t.Fatalf("signed in: %d to %s", in.status, in.to())
	}
	expect(t, b.get(in.to()), http.StatusOK, `data-testid="who">meera<`, "app:/1")
	if again := b.get("/console/sign-in?next=/console/audit"); again.to() != "/console/audit" {
		t.Errorf("signed in: got the sign-in page: %d %s", again.status, again.to())
	}
	if out := b.post("/console/sign-out"); out.status != http.StatusSeeOther || out.to() != "/console/sign-in" {
		t.Errorf("signed out: %d to %s", out.status, out.to())
	}
	if after := b.get("/console/"); after.status != http.StatusSeeOther {
		t.Errorf("after signing out: got %d", after.status)
	}
	for _, action := range []audit.Action{audit.AdminSignIn, audit.AdminSignOut} {
		if page, err := o.admin.Trail.Find(t.Context(), audit.Filter{Action: action, Actor: "admin/meera"}, "", 10); err != nil || len(page.Entries) != 1 {
			t.Errorf("%s: got %d records and %v, want 1", action, len(page.Entries), err)
		}
	}
}

func TestSignInErrorsAreShownOnSignInPage(t *testing.T) {
	t.Parallel()
	limited := fault.New(fault.Limited, "rate_limited", "Slow down.").After(90 * time.Second)
	attempts := 0
	o := openConsole(t, func(h *console.Handler) {
		h.ReserveSignIn = func(echo.Context) error {
			if attempts++; attempts > 1 {
				return limited
			}
			return nil
		}
	})
	b := o.browser()
	form := url.Values{"key": {o.key.Reveal()}, "next": {"/console/audit"}}
	expect(t, b.post("/console/sign-in", "key", "cbk_meera_wrong", "next", "/console/audit"), http.StatusUnauthorized,
		"not a valid admin key", `role="alert"`, `value="/console/audit"`, `aria-invalid="true"`)
	expect(t, b.do(http.MethodPost, "/console/sign-in", form, "Origin", "http://broker.example"), http.StatusForbidden, "insecure_sign_in", "https")
	a := b.post("/console/sign-in", "key", "cbk_meera_wrong")
	expect(t, a, http.StatusTooManyRequests, "too many requests", "Wait 90 seconds", `data-testid="key"`)
	if a.header.Get("Retry-After") != "90" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	attempts = 0
	expect(t, b.do(http.MethodPost, "/console/sign-in", form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "another site")
	expect(t, b.do(http.MethodPost, "/console/sign-in", url.Values{"key": {strings.Repeat("x", 20<<10)}}), http.StatusBadRequest, "invalid_form")
	if in := b.get("/console/"); in.status != http.StatusSeeOther {
		t.Errorf("one of the attempts succeeded: %d", in.status)
	}
}

func TestSignInRedirectsOnlyToTheConsole(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example/console/", "/console/../../v1", "/console/%2e%2e/", "/console/sign-in?next=x", "/console/sign-out", "/console/users/../sign-out"} {
		if a := o.browser().post("/console/sign-in", "key", o.key.Reveal(), "next", next); a.status != http.StatusSeeOther || a.to() != "/console/" {
			t.Errorf("%q: redirected to %q (%d)", next, a.to(), a.status)
		}
		expect(t, o.browser().get("/console/sign-in?next="+url.QueryEscape(next)), http.StatusOK, `name="next" value="/console/"`)
	}
}

func TestSignInForDownloadLeadsToItsPage(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.browser()
	sent := b.get("/console/audit/export?format=csv&subject=app%3Aasha")
	if sent.to() != "/console/sign-in?next=%2Fconsole%2Faudit%3Fsubject%3Dapp%253Aasha" {
		t.Errorf("without a session: redirected to %s", sent.to())
	}
	for next, want := range map[string]string{
		"/console/audit/export?format=csv&subject=app%3Aasha": "/console/audit?subject=app%3Aasha",
		"/console/audit/export":                               "/console/audit",
	} {
		if in := b.post("/console/sign-in", "key", o.key.Reveal(), "next", next); in.to() != want {
			t.Errorf("%s: redirected to %s after signing in", next, in.to())
		}
	}
}

func TestLinkFromAnotherSiteOpensSignedIn(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	expect(t, b.get("/console/users", link...), http.StatusOK, "Users")
	expect(t, b.get("/console/users", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), http.StatusForbidden, "another site")
}

func TestEndedSessionIsReportedAndNothingIsDone(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for _, path := range []string{"/console/users/app%3Aasha/block", "/console/revoke-all", "/console/sign-out"} {
		o.clock.advance(session.IdleTimeout)
		a := b.post(path, "for", "lifted", "confirm", "revoke everything")
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/console/sign-in?ended=1") {
			t.Fatalf("%s: %d to %s", path, a.status, a.to())
		}
		expect(t, b.get(a.to()), http.StatusOK, "Your session has ended, and your last request was not carried out.")
	}
	if o.admin.Access.Watcher.Version() != 0 {
		t.Error("something was changed")
	}
	expect(t, b.get(b.get("/console/audit").to()), http.StatusOK, "Your session has ended. Sign in")
	stranger := o.browser()
	expect(t, stranger.get(stranger.post("/console/revoke-all").to()), http.StatusOK, "You are not signed in, and your last request was not carried out.")
	if a := b.get("/console/?range=day", "X-Idle", "1"); a.status != http.StatusSeeOther {
		t.Errorf("refreshing page: got %d", a.status)
	}
}

func TestRefreshingPageDoesNotProlongSession(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for range 6 {
		o.clock.advance(session.IdleTimeout / 6)
		b.get("/console/", session.HeaderIdle, "1")
	}
	if a := b.get("/console/"); a.status != http.StatusSeeOther {
		t.Errorf("after the idle timeout: got %d", a.status)
	}
}

func TestFormOfAnotherSiteChangesNothing(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	form := url.Values{"confirm": {"revoke everything"}, "for": {"lifted"}}
	for _, path := range []string{"/console/revoke-all", "/console/users/app:asha/block", "/console/users/app:asha/revoke", "/console/sign-out"} {
		for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			expect(t, b.do(http.MethodPost, path, form, header...), http.StatusForbidden, "another site", "cross_origin")
		}
	}
	if a := b.get("/console/"); a.status != http.StatusOK || o.admin.Access.Watcher.Version() != 0 {
		t.Errorf("signed out, or something changed: %d", a.status)
	}
}
