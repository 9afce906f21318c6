package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestUsersCanBeFilteredByBlocked(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", time.Minute)
	b := o.signedIn()
	expect(t, b.get("/console/users?blocked=true"), http.StatusOK, "No blocked users.", `value="true" checked`)
	b.post("/console/users/app:rohan/block", "for", "lifted")
	expect(t, b.get("/console/"), http.StatusOK, `href="/console/users?blocked=true"`)
	list := b.get("/console/users?q=app&blocked=true")
	expect(t, list, http.StatusOK, "<bdi>app:rohan</bdi>", "Show all")
	if strings.Contains(list.body, "<bdi>app:asha</bdi>") || strings.Contains(list.body, `data-testid="absent"`) {
		t.Errorf("got the list %s", list.body)
	}
	expect(t, b.get("/console/users?q=app:asha&blocked=true"), http.StatusOK, "No blocked users match.")
}

func TestAuditTrailOfUserExcludesReads(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha", time.Minute)
	b := o.signedIn()
	b.post("/console/users/app:asha/block", "for", "lifted")
	b.post("/console/users/app:asha/unblock", "", "")
	b.post("/console/users/app:asha/unblock", "", "")
	const trail = "/console/audit?action=-reads&subject=app%3Aasha"
	expect(t, b.get("/console/users/app:asha"), http.StatusOK, strings.ReplaceAll(trail, "&", "&amp;"))
	page := b.get(trail)
	expect(t, page, http.StatusOK, "Token minted", "until unblocked", "no change", `title="until=lifted"`, `<option value="-reads" selected>`)
	if strings.Contains(page.body, `title="admin.read"`) {
		t.Error("a read is listed")
	}
	usual := b.get("/console/audit")
	expect(t, usual, http.StatusOK, "Reads by operators are left out.", `href="/console/audit?action=all"`, "action=-admin.read&amp;format=csv", `title="access.block"`)
	if strings.Contains(usual.body, `title="admin.read"`) || strings.Contains(usual.body, ">Reset<") {
		t.Errorf("got the usual list %s", usual.body)
	}
	if all := b.get("/console/audit?action=all"); !strings.Contains(all.body, `title="admin.read"`) || strings.Contains(all.body, "left out") {
		t.Errorf("got the list of all %s", all.body)
	}
	if file := b.get("/console/audit/export?format=csv"); !strings.Contains(file.body, "admin.read") {
		t.Error("the export of all leaves reads out")
	}
	if file := b.get("/console/audit/export?format=csv&action=-reads"); file.status != http.StatusOK || strings.Contains(file.body, "admin.read") {
		t.Errorf("got the export %d %s", file.status, file.body)
	}
}

func TestAssetsAreCachedUntilTheyChange(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.browser()
	seen := make(map[string]bool)
	for _, name := range []string{"console.js", "console.css", "look.css", "chart.css", "icon.svg"} {
		tag := b.get("/console/assets/" + name).header.Get("ETag")
		if len(tag) < 10 || !strings.HasPrefix(tag, `W/"`) || seen[tag] {
			t.Errorf("%s: got the ETag %q", name, tag)
		}
		seen[tag] = true
		if a := b.get("/console/assets/"+name, "If-None-Match", tag); a.status != http.StatusNotModified || a.body != "" {
			t.Errorf("%s: got %d for the current ETag", name, a.status)
		}
		if a := b.get("/console/assets/"+name, "If-None-Match", `"older"`); a.status != http.StatusOK || a.body == "" {
			t.Errorf("%s: got %d for another ETag", name, a.status)
		}
	}
	if a := b.get("/console/assets/none.css"); a.status != http.StatusNotFound || a.header.Get("ETag") != "" {
		t.Errorf("missing file: got %d with the ETag %q", a.status, a.header.Get("ETag"))
	}
}

func TestRefreshSendsOnlyThePartsThatChanged(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	o.give("app:asha", time.Minute)
	page := b.get("/console/", "Accept-Encoding", "identity")
	zipped := b.get("/console/", "Accept-Encoding", "gzip")
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) > len(page.body)/8 {
		t.Errorf("got %d bytes compressed, %d as they are", len(zipped.body), len(page.body))
	}

	first := b.get("/console/", "X-Refresh", "1")
	expect(t, first, http.StatusOK, `data-part="tiles"`, `data-part="health"`, `data-part="chart-latency"`)
	for _, name := range regexp.MustCompile(`data-part="([^"]+)"`).FindAllStringSubmatch(first.body, -1) {
		if !strings.Contains(page.body, `data-refresh="`+name[1]+`"`) {
			t.Errorf("the page has no place for %s", name[1])
		}
	}
	if strings.Contains(first.body, "<main") {
		t.Error("got the whole page")
	}
	var tags []string
	for _, tag := range regexp.MustCompile(`data-etag='([^']+)'`).FindAllStringSubmatch(first.body, -1) {
		tags = append(tags, tag[1])
	}
	have := strings.Join(tags, ", ")
	if same := b.get("/console/", "X-Refresh", "1", "If-None-Match", have); same.status != http.StatusNotModified || same.body != "" {
		t.Errorf("got %d %q, want 304", same.status, same.body)
	}
	o.give("app:rohan", time.Minute)
	changed := b.get("/console/", "X-Refresh", "1", "If-None-Match", have)
	expect(t, changed, http.StatusOK, `data-part="tiles"`, `data-testid="live">2<`)
	if strings.Count(changed.body, "data-part") != 1 || len(changed.body) > 2048 {
		t.Errorf("got %d bytes: %s", len(changed.body), changed.body)
	}
}

func TestSearchOfEveryPageLeadsToWhatItNames(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.give("app:asha@example.com", time.Minute)
	o.give("shop:ravi", time.Minute)
	b := o.signedIn()
	expect(t, b.get("/console/settings"), http.StatusOK, `action="/console/find"`)
	for q, want := range map[string]string{
		"":                     "/console/users",
		"app:asha@example.com": "/console/users/app:asha@example.com",
		"asha@example.com":     "/console/users/app:asha@example.com",
		"ravi":                 "/console/users/shop:ravi",
		"rav":                  "/console/users?q=shop%3Arav",
		"app:nobody":           "/console/users?q=app%3Anobody",
		"nobody":               "/console/users?q=nobody",
		"gr_1":                 "/console/grants/gr_1",
		"req_1":                "/console/audit?action=all&request_id=req_1",
		"admin/meera":          "/console/audit?action=all&actor=admin%2Fmeera",
	} {
		if a := b.get("/console/find?q=" + url.QueryEscape(q)); a.status != http.StatusSeeOther || a.to() != want {
			t.Errorf("%q: got %d to %q, want %q", q, a.status, a.to(), want)
		}
	}
	expect(t, b.get("/console/find?q=ln_none"), http.StatusNotFound, "link_not_found")
	expect(t, b.get("/console/find?q=%00"), http.StatusBadRequest, `data-testid="error"`)
	expect(t, b.get("/console/audit?action=admin.read&subject=app%3Aasha%40example.com"), http.StatusOK, "users")
}
