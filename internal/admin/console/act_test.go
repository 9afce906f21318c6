package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/auth"
)

func TestBlockAsksForConfirmationAndShowsResult(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", 10*time.Minute)
	o.give("app:asha", 20*time.Minute)
	b := o.signedIn()
	expect(t, b.get("/console/users/app:asha/block"), http.StatusOK,
		">2 active tokens</span> are revoked now", "Limitation:", "2026-04-01 11:20:00 UTC", "cannot revoke tokens", `value="lifted" checked`)
	if o.admin.Access.Watcher.Version() != 0 {
		t.Fatal("the confirmation page blocked the user")
	}
	a := b.post("/console/users/app:asha/block", "for", "24h", "reason", "Her phone was stolen.")
	if a.status != http.StatusSeeOther || a.to() != "/console/users/app:asha" {
		t.Fatalf("redirected to %q (%d)", a.to(), a.status)
	}
	expect(t, b.get("/console/", "X-Idle", "1"), http.StatusOK) // another tab, which must not take the notice
	b.do(http.MethodHead, a.to(), nil)                          // nor a program
	after := b.get(a.to())
	expect(t, after, http.StatusOK, "The user is blocked.", "until <time datetime=\"2026-04-01T11:20:00Z\">", "Blocked until", "2026-04-02 10:30:00 UTC",
		"Her phone was stolen.", "admin/meera", `data-testid="works-at-vendor"`)
	if again := b.get(a.to()); strings.Contains(again.body, `data-testid="notice"`) {
		t.Error("the notice is shown twice")
	}
	b.post("/console/users/app:asha/block", "for", "24h", "reason", "Her phone was stolen.")
	expect(t, b.get(a.to()), http.StatusOK, "was already blocked like this")

	expect(t, b.get("/console/users/app:asha/unblock"), http.StatusOK, "<bdi>admin/meera</bdi> blocked the user", "stay revoked")
	b.post("/console/users/app:asha/unblock")
	expect(t, b.get(a.to()), http.StatusOK, "The block is lifted", `data-testid="not-blocked"`)
	o.clock.advance(time.Hour)
	if later := b.get(a.to()); strings.Contains(later.body, `data-testid="works-at-vendor"`) {
		t.Error("the page says so after the tokens have expired at the vendor")
	}
}

func TestHistoryShowsReasonAndActor(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	const page = "/console/users/app:asha"
	expect(t, b.get(page), http.StatusOK, "Blocks and revocations", `data-testid="unknown"`)
	b.post(page+"/block", "for", "1h", "reason", "<b>Her phone</b> was stolen.")
	b.post(page+"/block", "for", "lifted")
	o.clock.advance(time.Minute)
	b.post(page + "/unblock")
	grant := o.give("app:asha", 0)
	b.post("/console/grants/" + grant + "/revoke")
	b.post(page + "/revoke")
	b.post("/console/revoke-all", "confirm", "revoke everything")
	shown := b.get(page)
	expect(t, shown, http.StatusOK, `data-testid="not-blocked"`, "<bdi class=\"id\">&lt;b&gt;Her phone&lt;/b&gt; was stolen.</bdi>",
		`<time datetime="2026-04-01T11:30:00Z">`, ">until unblocked<", `<a href="/console/grants/`+grant+`">Token revoked</a>`)
	_, history, _ := strings.Cut(shown.body, `data-testid="history"`)
	last := 0
	for _, what := range []string{"All tokens of all users revoked", "All tokens revoked", "Token revoked", "Block lifted", "Blocked", "Blocked<"} {
		at := strings.Index(history[last:], what)
		if at < 0 {
			t.Fatalf("%q is not at its position: %s", what, history)
		}
		last += at + len(what)
	}
	if n := strings.Count(history, `data-testid="change"`); n != 6 || strings.Count(history, "<bdi class=\"id\">admin/meera</bdi>") != 6 {
		t.Errorf("got %d changes, want 6: %s", n, history)
	}
}

func TestUserWhoWasOnlyBlockedIsKnown(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	b.post("/console/revoke-all", "confirm", "revoke everything")
	expect(t, b.get("/console/users/app:asha"), http.StatusOK, `data-testid="unknown"`)
	b.post("/console/users/app:asha/block", "for", "lifted")
	b.post("/console/users/app:asha/unblock")
	expect(t, b.get("/console/users/app:asha"), http.StatusOK, `data-testid="not-blocked"`)
}

func TestBlockEndsWhenTheFormSays(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for i, c := range []struct {
		form []string
		want time.Time
	}{
		{[]string{"for", "1h"}, begin.Add(time.Hour)},
		{[]string{"for", "168h"}, begin.Add(7 * 24 * time.Hour)},
		{[]string{"for", "lifted"}, time.Time{}},
		{[]string{"for", "until", "until", "2026-04-01T10:31:30.5"}, begin.Add(90*time.Second + 500*time.Millisecond)},
		{[]string{"for", "until", "until", "2026-04-01T10:31"}, begin.Add(time.Minute)},
	} {
		subject := fmt.Sprintf("app:%d", i)
		if a := b.post("/console/users/"+subject+"/block", c.form...); a.status != http.StatusSeeOther {
			t.Errorf("%q: got %d", c.form, a.status)
			continue
		}
		if state, err := o.admin.Access.ActiveBlock(t.Context(), subject); err != nil || state == nil || !state.Until.Equal(c.want) {
			t.Errorf("%q: got %+v and %v", c.form, state, err)
		}
	}
}

func TestInvalidFormIsShownAgainWithItsValues(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	for name, form := range map[string][]string{
		"past time":  {"for", "until", "until", "2026-04-01T10:30", "reason", "A <reason>"},
		"no time":    {"for", "until", "until", "", "reason", "A <reason>"},
		"not a time": {"for", "until", "until", "soon", "reason", "A <reason>"},
	} {
		a := b.post("/console/users/app:asha/block", form...)
		expect(t, a, http.StatusUnprocessableEntity, "must end in the future", "A &lt;reason&gt;</textarea>", `value="until" checked`, `role="alert"`)
		if !strings.Contains(a.body, `aria-invalid="true" aria-describedby="error" data-testid="until"`) {
			t.Errorf("%s: the field is not marked as invalid", name)
		}
	}
	expect(t, b.post("/console/users/app:asha/block", "for", "lifted", "reason", strings.Repeat("ж", 251)), http.StatusUnprocessableEntity,
		"has 251 letters in 502 bytes", "the limit is 500 bytes", `aria-describedby="reason-hint error" data-testid="reason"`)
	for _, unknown := range []string{"ever", "2h", "-1h", ""} {
		expect(t, b.post("/console/users/app:asha/block", "for", unknown), http.StatusBadRequest, "invalid_form", "Choose how long the block lasts.")
	}
	expect(t, b.post("/console/users/app:asha/block", "for", "until", "until", "12026-04-01T10:30"), http.StatusUnprocessableEntity, "9999 or earlier")
	for _, length := range []string{"lifted", "1h"} {
		expect(t, b.post("/console/users/app:asha/block", "for", length, "until", "2027-01-01T00:00"), http.StatusUnprocessableEntity,
			"two_ends", `value="2027-01-01T00:00" aria-invalid="true"`, `value="`+length+`" checked`)
	}
	if o.admin.Access.Watcher.Version() != 0 {
		t.Error("a user was blocked")
	}
}

func TestGrantIsRevokedAfterConfirmation(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	grant := "/console/grants/" + o.give("app:asha", 10*time.Minute)
	b := o.signedIn()
	expect(t, b.get(grant), http.StatusOK, "Active", "req_1", "direct", `data-testid="revoke"`)
	expect(t, b.get(grant+"/revoke"), http.StatusOK, "Revoke this token?", "2026-04-01 11:20:00 UTC", "cannot revoke tokens")
	if a := b.post(grant + "/revoke"); a.status != http.StatusSeeOther || a.to() != grant {
		t.Fatalf("%d to %q", a.status, a.to())
	}
	after := b.get(grant)
	expect(t, after, http.StatusOK, "The token is revoked.", "Revoked</span>", `data-testid="works-at-vendor"`, "2026-04-01 11:20:00 UTC")
	if strings.Contains(after.body, `data-testid="revoke"`) {
		t.Error("the page offers to revoke it again")
	}
	b.post(grant + "/revoke")
	expect(t, b.get(grant), http.StatusOK, "was already revoked or expired")
	expect(t, b.post("/console/grants/gr_unknown/revoke"), http.StatusNotFound, "no grant with this id")
}

func TestRevokeAllNeedsTypedConfirmation(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	for i := range 3 {
		o.give(fmt.Sprintf("app:%d", i), 10*time.Minute)
	}
	b := o.signedIn()
	expect(t, b.get("/console/revoke-all"), http.StatusOK, ">3 active tokens</span> now", "upstream.api_key", "2026-04-01 11:30:00 UTC</time> at the latest")
	expect(t, b.post("/console/revoke-all", "confirm", `Revoke "all"`), http.StatusUnprocessableEntity,
		"Nothing was changed", `value="Revoke &#34;all&#34;"`, `aria-invalid="true"`)
	if live, err := o.db.LiveGrants(t.Context(), begin); err != nil || live != 3 {
		t.Fatalf("got %d active tokens and %v, want 3", live, err)
	}
	if a := b.post("/console/revoke-all", "confirm", " revoke everything "); a.status != http.StatusSeeOther || a.to() != "/console/" {
		t.Fatalf("%d to %q", a.status, a.to())
	}
	expect(t, b.get("/console/"), http.StatusOK, "All tokens of all users are revoked.", "2026-04-01 11:20:00 UTC", `data-testid="live">0<`)
}

func TestLinkCannotSetNotice(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	if a := b.get("/console/?notice=all_revoked&casbroker_notice=all_revoked.false."); strings.Contains(a.body, `data-testid="notice"`) {
		t.Error("a link set the notice")
	}
	kept := cookies(b)
	b.client.Jar = nil
	for _, value := range []string{"<i>", "blocked", "other.false.1", "all_revoked.maybe.<i>", "blocked.false.253402300800", "blocked.false.-1", "..", ""} {
		a := b.get("/console/", "Cookie", kept+"; casbroker_notice="+url.QueryEscape(value))
		if a.status != http.StatusOK || strings.Contains(a.body, "<i>") || strings.Contains(a.body, "at the latest") {
			t.Errorf("%q: got %d", value, a.status)
		}
	}
}

// cookies returns the cookies of the browser.
func cookies(b *browser) string {
	u, _ := url.Parse(b.console.URL)
	var list []string
	for _, c := range b.client.Jar.Cookies(u) {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; ")
}

func TestUnknownUserCanBeBlocked(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:ashaa", time.Minute)
	b := o.signedIn()
	expect(t, b.get("/console/users?q=app:asha"), http.StatusOK, `data-testid="absent"`, `href="/console/users/app:asha/block"`, "app:ashaa")
	part := b.get("/console/users?q=asha")
	expect(t, part, http.StatusOK, `data-testid="absent"`, "such as demo:42")
	if strings.Contains(part.body, "block-anyway") {
		t.Error("an invalid id can be blocked")
	}
	expect(t, b.get("/console/users/app:asha"), http.StatusOK, `data-testid="unknown"`)
	expect(t, b.get("/console/users/app:asha/block"), http.StatusOK, "The user has no active token", "No such user yet")
	if a := b.get("/console/users/app:ashaa/block"); strings.Contains(a.body, "No such user yet") {
		t.Error("a known user is called unknown")
	}
	b.post("/console/users/app:asha/block", "for", "lifted")
	if _, err := o.admin.Access.Watcher.Admit("app:asha"); err == nil {
		t.Error("the user is not blocked")
	}
	if a := b.get("/console/users?q=app:asha"); strings.Contains(a.body, `data-testid="absent"`) || !strings.Contains(a.body, "Blocked</span>") {
		t.Errorf("the user is not listed: %s", a.body)
	}
}

func TestListsArePaginated(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	for i := range 60 {
		o.give(fmt.Sprintf("app:%02d", i), time.Duration(i)*time.Minute)
	}
	b := o.signedIn()
	for path, c := range map[string]struct {
		row         string
		next, later string
		total       int
	}{
		"/console/users?q=app%3A":                        {`data-testid="user-row"`, `data-testid="next"`, ">First</a>", 60},
		"/console/grants?from=2026-04-01T09:31&subject=": {`data-testid="grant-row"`, `data-testid="next"`, `data-testid="first"`, 60},
		"/console/audit?action=token.mint":               {`data-testid="record"`, `data-testid="next"`, `data-testid="first"`, 60},
	} {
		first := b.get(path)
		n := strings.Count(first.body, c.row)
		if n != 50 || strings.Contains(first.body, c.later) {
			t.Errorf("%s: got %d rows on the first page", path, n)
		}
		second := b.get(hrefOf(first.body, c.next))
		if n += strings.Count(second.body, c.row); n != c.total || strings.Contains(second.body, c.next) || !strings.Contains(second.body, c.later) {
			t.Errorf("%s: got %d rows on both pages", path, n)
		}
	}
}

// hrefOf returns the URL of the link with this attribute.
func hrefOf(body, attribute string) string {
	before, _, _ := strings.Cut(body, attribute)
	link := before[strings.LastIndex(before, `href="`)+len(`href="`):]
	link, _, _ = strings.Cut(link, `"`)
	return strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(link)
}

func TestGrantsAreFilteredByQuery(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", 10*time.Minute)
	old := o.give("app:asha", 3*time.Hour)
	o.give("app:rohan", 10*time.Minute)
	if _, err := o.admin.Access.RevokeUser(t.Context(), auth.Principal{Subject: "admin/x"}, "app:rohan"); err != nil {
		t.Fatal(err)
	}
	b := o.signedIn()
	for query, want := range map[string]int{
		"": 3, "state=active": 1, "state=revoked": 1, "state=expired": 1, "subject=app:asha": 2, "subject=app:asha&state=revoked": 0,
		"to=2026-04-01T08:00": 1, "from=2026-04-01T08:00": 2, "from=2026-04-01T08:00:00Z": 2, "subject=app:asha+": 0,
	} {
		a := b.get("/console/grants?" + query)
		if n := strings.Count(a.body, `data-testid="grant-row"`); a.status != http.StatusOK || n != want {
			t.Errorf("%q: got %d with %d grants", query, a.status, n)
		}
	}
	expect(t, b.get("/console/grants?state=expired"), http.StatusOK, old, `<option value="expired" selected>Expired</option>`)
}

func TestAuditTrailIsFilteredAndExported(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", time.Minute)
	o.give("app:=rohan", time.Minute)
	b := o.signedIn()
	b.post("/console/users/app:asha/block", "for", "lifted", "reason", "x")
	page := b.get("/console/audit?action=access.block&actor=admin%2Fmeera&outcome=ok")
	expect(t, page, http.StatusOK, "User blocked", "app:asha", "127.0.0.1", "record ", `<option value="access.block" selected>`, `value="admin/meera"`)
	if n := strings.Count(page.body, `data-testid="record"`); n != 1 {
		t.Errorf("got %d records, want 1", n)
	}
	expect(t, b.get("/console/audit?outcome=refused"), http.StatusOK, "No records match")

	csv := b.get(hrefOf(page.body, `data-testid="export-csv"`))
	expect(t, csv, http.StatusOK, "id,at,actor", "access.block", "app:asha")
	if strings.Count(csv.body, "\n") != 2 || csv.header.Get("Content-Disposition") != `attachment; filename="casbroker-audit.csv"` ||
		!strings.HasPrefix(csv.header.Get("Content-Type"), "text/csv") || csv.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v %s", csv.header, csv.body)
	}
	lines := b.get("/console/audit/export?format=ndjson&subject=app%3A%3Drohan")
	expect(t, lines, http.StatusOK, `"action":"token.mint"`)
	if strings.Count(lines.body, "\n") != 2 || // the export is audited, too
		lines.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("got %v %s", lines.header, lines.body)
	}
	expect(t, b.get("/console/audit?action=audit.export"), http.StatusOK, "Audit trail exported", "app:=rohan", "ndjson")
	wrong := b.get("/console/audit/export?format=csv&from=never")
	expect(t, wrong, http.StatusBadRequest, "a date and a time in UTC")
	if wrong.header.Get("Content-Disposition") != "" || !strings.HasPrefix(wrong.header.Get("Content-Type"), "text/html") {
		t.Error("the error is sent as a download")
	}
	if out := o.browser().get("/console/audit/export?format=csv"); out.status != http.StatusSeeOther {
		t.Errorf("without a session: %d", out.status)
	}
}
