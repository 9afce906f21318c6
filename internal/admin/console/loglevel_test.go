package console_test

import (
	"net/http"
	"testing"
	"time"

	"casbroker/internal/admin"
)

func TestLevelOfTheLogIsChangedInTheConsole(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	const path = "/console/log-level"
	expect(t, b.get("/console/settings"), http.StatusOK, `href="/console/log-level"`)
	expect(t, b.get(path), http.StatusOK, "<strong>info</strong>", "as in its settings")
	for _, c := range []struct{ level, length, says string }{
		{"loud", "15m", "Choose one of the levels"}, {"", "15m", "Choose one of the levels"},
		{"debug", "", "Choose one of the durations"}, {"debug", "1000h", "Choose one of the durations"},
	} {
		a := b.post(path, "level", c.level, "for", c.length)
		expect(t, a, http.StatusUnprocessableEntity, c.says, `aria-invalid="true"`, "<strong>info</strong>")
	}
	set := func(level, length string) {
		t.Helper()
		if a := b.post(path, "level", level, "for", length); a.status != http.StatusSeeOther || a.to() != path {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	set("debug", "15m")
	expect(t, b.get(path), http.StatusOK, "changed on all replicas", "<strong>debug</strong>", begin.Add(15*time.Minute).Format(time.RFC3339), "the level is info")
	expect(t, b.get("/console/audit?action=log.level"), http.StatusOK, "Log level changed", "debug", "until 2026-04-01T10:45:00Z")
	set("warn", "restart")
	expect(t, b.get(path), http.StatusOK, "<strong>warn</strong>", "until it restarts")
	set("setting", "15m")
	expect(t, b.get(path), http.StatusOK, "<strong>info</strong>", "as in its settings")

	fake, _ := o.admin.Levels.(*levels)
	fake.reach = admin.ThisReplica
	set("error", "24h")
	expect(t, b.get(path), http.StatusOK, "changed on this replica alone", "<strong>error</strong>")
}
