package console_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/webhook"
)

// receiver makes a webhook called crm, whose receiver answers with the returned status.
func (o *testConsole) receiver() *atomic.Int32 {
	o.t.Helper()
	status := &atomic.Int32{}
	status.Store(http.StatusNoContent)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	o.t.Cleanup(s.Close)
	e := webhook.Endpoint{Name: "crm", URL: s.URL + "/a-secret-path", Events: []webhook.Type{webhook.UserBlocked}}
	if _, err := o.admin.Webhooks.Create(o.t.Context(), "admin/meera", e); err != nil {
		o.t.Fatal(err)
	}
	return status
}

// sendEvents sends events until the test ends.
func (o *testConsole) sendEvents() {
	o.t.Helper()
	feed := &webhook.Feed{Store: o.db, Now: o.clock.Now}
	d := &webhook.Deliverer{
		Deliveries: o.db, Endpoints: o.admin.Webhooks.Endpoints, Sender: o.admin.Webhooks.Sender, Feed: feed,
		Log: slog.New(slog.DiscardHandler), Now: o.clock.Now,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = feed.Run(ctx) })
	running.Go(func() { _ = d.Run(ctx) })
	o.t.Cleanup(func() { cancel(); running.Wait(); d.Sender.Close() })
}

// getUntil gets a page until it has part.
func (b *browser) getUntil(path, part string) answer {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if a := b.get(path); strings.Contains(a.body, part) || time.Now().After(end) {
			expect(b.t, a, http.StatusOK, part)
			return a
		}
	}
}

func TestOperatorSeesAndTestsAWebhook(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	expect(t, b.get("/console/webhooks"), http.StatusOK, "There are no webhooks")
	expect(t, b.get("/console/webhooks/crm"), http.StatusNotFound, "no webhook with this name")
	status := o.receiver()
	page := b.get("/console/webhooks/crm")
	expect(t, page, http.StatusOK, "127.0.0.1:", "<code>user.blocked</code>", ">Enabled<", "Nothing was sent yet", "0 events")
	if strings.Contains(page.body, "a-secret-path") || strings.Contains(page.body, "whsec_") {
		t.Error("the page has the path or a secret of the webhook")
	}
	expect(t, b.post("/console/webhooks/crm/test"), http.StatusOK, "The receiver took the test message", "It answered 204")
	status.Store(http.StatusServiceUnavailable)
	expect(t, b.post("/console/webhooks/crm/test"), http.StatusOK, "was not taken: refused", "It answered 503")

	added := b.post("/console/webhooks/crm/secrets")
	expect(t, added, http.StatusOK, "A secret was added")
	if got := regexp.MustCompile(`data-testid="new-secret">whsec_[A-Za-z0-9+/=]{44}<`).FindString(strings.ReplaceAll(added.body, "&#43;", "+")); got == "" {
		t.Errorf("got %s, want the new secret", added.body)
	}
	if got := added.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("got Cache-Control %q for a page with a secret", got)
	}
	if a := b.get("/console/webhooks/crm"); strings.Contains(a.body, "whsec_") {
		t.Error("the secret is shown again")
	}

	if a := b.post("/console/webhooks/crm/disable"); a.status != http.StatusSeeOther || a.to() != "/console/webhooks/crm" {
		t.Errorf("got %d to %s", a.status, a.to())
	}
	expect(t, b.get("/console/webhooks/crm"), http.StatusOK, "The webhook is disabled", "by an operator", ">Disabled<", "/console/webhooks/crm/enable")
	expect(t, b.get("/console/webhooks"), http.StatusOK, ">Disabled<", "/console/webhooks/crm")
	b.post("/console/webhooks/crm/enable")
	expect(t, b.get("/console/webhooks/crm"), http.StatusOK, "The webhook is enabled", ">Enabled<")
	expect(t, b.get("/console/audit?action=webhook.change"), http.StatusOK, "Webhook changed", "disabled", "secret added", "tested")
}

func TestOperatorReplaysDeliveries(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	b := o.signedIn()
	o.receiver()
	o.sendEvents()
	b.post("/console/users/app:asha/block", "for", "lifted", "reason", "x")
	page := b.getUntil("/console/webhooks/crm", ">Delivered</span>")
	expect(t, page, http.StatusOK, "<code>user.blocked</code>", "app:asha", ">204")
	event := regexp.MustCompile(`ev_[0-9a-z]{26}`).FindString(page.body)
	expect(t, b.get("/console/webhooks/crm?state=failed"), http.StatusOK, "No deliveries are in this state")
	expect(t, b.get("/console/webhooks/crm?state=delivered"), http.StatusOK, event)
	expect(t, b.get("/console/webhooks/crm?state=odd"), http.StatusBadRequest, `data-testid="error"`, "Choose one of the states in the list")
	for _, c := range []struct {
		event, since string
		want         int
		part         string
	}{
		{"", "", http.StatusUnprocessableEntity, "Name either the event_id or since"},
		{event, "2026-04-01T09:00", http.StatusUnprocessableEntity, `value="` + event + `"`},
		{"", "tomorrow", http.StatusBadRequest, `id="since" name="since" type="datetime-local" step="any" value="tomorrow" aria-invalid="true"`},
		{"ev_none", "", http.StatusNotFound, "no event with this id"},
	} {
		expect(t, b.post("/console/webhooks/crm/replay", "event_id", c.event, "since", c.since), c.want, c.part)
	}
	for _, c := range [][2]string{{event, ""}, {"", "2026-04-01T09:00"}} {
		if a := b.post("/console/webhooks/crm/replay", "event_id", c[0], "since", c[1]); a.status != http.StatusSeeOther {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		expect(t, b.get("/console/webhooks/crm"), http.StatusOK, "The events are sent again")
		b.getUntil("/console/webhooks/crm?state=delivered", event)
	}
}

func TestFormOfAnotherSiteChangesNoWebhook(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	o.receiver()
	b := o.signedIn()
	for _, path := range []string{"test", "disable", "enable", "replay", "secrets"} {
		a := b.do(http.MethodPost, "/console/webhooks/crm/"+path, map[string][]string{}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if a.status != http.StatusForbidden {
			t.Errorf("%s: got %d, want it refused", path, a.status)
		}
	}
	if a := o.browser().post("/console/webhooks/crm/disable"); a.status != http.StatusSeeOther || !strings.HasPrefix(a.to(), "/console/sign-in") {
		t.Errorf("got %d to %s without a session", a.status, a.to())
	}
	expect(t, b.get("/console/webhooks/crm"), http.StatusOK, ">Enabled<")
}
