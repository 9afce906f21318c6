package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestUsersWhoAreBlockedCanBeListedByThemselves(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	o.give("app:asha", time.Minute)
	b := o.signedIn()
	says(t, b.get("/console/users?blocked=true"), http.StatusOK, "Nobody is blocked now.", `value="true" checked`)
	b.post("/console/users/app:rohan/block", "for", "lifted")
	says(t, b.get("/console/"), http.StatusOK, `href="/console/users?blocked=true"`)
	list := b.get("/console/users?q=app&blocked=true")
	says(t, list, http.StatusOK, "<bdi>app:rohan</bdi>", "Show all")
	if strings.Contains(list.body, "<bdi>app:asha</bdi>") || strings.Contains(list.body, `data-testid="absent"`) {
		t.Errorf("the list is %s", list.body)
	}
	says(t, b.get("/console/users?q=app:asha&blocked=true"), http.StatusOK, "Nobody whose id begins like that is blocked now.")
}

func TestTheTrailOfAUserLeavesOutThatItWasRead(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	o.give("app:asha", time.Minute)
	b := o.signedIn()
	b.post("/console/users/app:asha/block", "for", "lifted")
	b.post("/console/users/app:asha/unblock", "", "")
	b.post("/console/users/app:asha/unblock", "", "")
	const trail = "/console/audit?action=-admin.read&subject=app%3Aasha"
	says(t, b.get("/console/users/app:asha"), http.StatusOK, strings.ReplaceAll(trail, "&", "&amp;"))
	page := b.get(trail)
	says(t, page, http.StatusOK, "Token minted", "until it is lifted", "was so already", `title="until=lifted"`, `<option value="-admin.read" selected>`)
	if strings.Contains(page.body, `title="admin.read"`) {
		t.Error("a read is listed")
	}
	if file := b.get("/console/audit/export?format=csv&action=-admin.read"); file.status != http.StatusOK || strings.Contains(file.body, "admin.read") {
		t.Errorf("the export is %d %s", file.status, file.body)
	}
}

func TestABrowserKeepsAFileUntilThereIsAnother(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	b := o.browser()
	seen := make(map[string]bool)
	for _, name := range []string{"console.js", "console.css", "look.css", "chart.css", "icon.svg"} {
		tag := b.get("/console/assets/" + name).header.Get("ETag")
		if len(tag) < 10 || !strings.HasPrefix(tag, `"`) || seen[tag] {
			t.Errorf("the tag of %s is %q", name, tag)
		}
		seen[tag] = true
		if a := b.get("/console/assets/"+name, "If-None-Match", tag); a.status != http.StatusNotModified || a.body != "" {
			t.Errorf("%s that is known is answered with %d", name, a.status)
		}
		if a := b.get("/console/assets/"+name, "If-None-Match", `"older"`); a.status != http.StatusOK || a.body == "" {
			t.Errorf("%s that is another is answered with %d", name, a.status)
		}
	}
	if a := b.get("/console/assets/none.css"); a.status != http.StatusNotFound || a.header.Get("ETag") != "" {
		t.Errorf("what is not there is %d with %q", a.status, a.header.Get("ETag"))
	}
}
