package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/webhook"
)

func (b *broker) blockUser(t *testing.T, subject string) {
	t.Helper()
	if r := b.call(t, "meera", "POST", "/admin/v1/users/"+subject+"/block", `{"reason":"test"}`); r.status != 200 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
}

// sendWebhooks runs what sends events, until the test ends.
func (b *broker) sendWebhooks(t *testing.T) {
	t.Helper()
	feed := &webhook.Feed{Store: b.db, Now: b.now}
	d := &webhook.Deliverer{
		Deliveries: b.db, Endpoints: b.service.Webhooks.Endpoints, Sender: b.service.Webhooks.Sender, Feed: feed,
		Log: slog.New(slog.DiscardHandler), Now: b.now,
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = feed.Run(ctx) })
	running.Go(func() { _ = d.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); d.Sender.Close() })
}

// deliveries lists what was sent to a webhook, once there are n.
func (b *broker) deliveries(t *testing.T, query string, n int) (list []webhook.DeliveryState) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; <-time.After(5 * time.Millisecond) {
		var page struct{ Deliveries []webhook.DeliveryState }
		if b.get(t, "/webhooks/crm/deliveries"+query, &page); len(page.Deliveries) >= n || time.Now().After(end) {
			return page.Deliveries
		}
	}
}

func TestOperatorMakesTestsReplaysAndDeletesAWebhook(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, b *broker) {
		got := make(chan string, 100)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header.Get("webhook-id")
			w.WriteHeader(http.StatusNoContent)
		}))
		t.Cleanup(receiver.Close)
		next := func() string {
			select {
			case id := <-got:
				return id
			case <-time.After(15 * time.Second):
				t.Fatal("nothing was sent within 15s")
				return ""
			}
		}
		b.sendWebhooks(t)
		b.blockUser(t, "app:early")
		if _, err := b.db.NumberEvents(t.Context(), b.now(), 10); err != nil { // before there is a webhook
			t.Fatal(err)
		}
		r := b.call(t, "meera", "POST", "/admin/v1/webhooks", fmt.Sprintf(`{"name":"crm","url":%q,"events":["user.blocked"]}`, receiver.URL+"/secret"))
		if r.status != 201 || !strings.Contains(r.body, `"secret":"whsec_`) {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		var tested struct {
			OK     bool
			Status int
		}
		if b.post(t, "/webhooks/crm/test", "", &tested); !tested.OK || tested.Status != 204 {
			t.Errorf("got %+v, want 204", tested)
		}
		next()
		b.blockUser(t, "app:asha")
		first := b.deliveries(t, "?state=delivered", 1)
		if len(first) != 1 || first[0].EventID != next() || first[0].Status != 204 || first[0].Attempts != 1 || first[0].Subject != "app:asha" {
			t.Fatalf("got %+v, want the event once", first)
		}
		var again struct{ Events int }
		if b.post(t, "/webhooks/crm/replay", `{"event_id":"`+first[0].EventID+`"}`, &again); again.Events != 1 || next() != first[0].EventID {
			t.Errorf("got %+v, want the same event again", again)
		}
		b.deliveries(t, "?state=delivered", 1) // it is recorded
		since := b.now().Add(-time.Hour).UTC().Format(time.RFC3339)
		if b.post(t, "/webhooks/crm/replay", `{"since":"`+since+`"}`, &again); again.Events != 2 {
			t.Errorf("got %+v, want also the event from before", again)
		}
		next()
		next()
		if r := b.call(t, "meera", "POST", "/admin/v1/webhooks/crm/disable", ""); r.status != 200 {
			t.Errorf("got %d %s", r.status, r.body)
		}
		var list struct{ Webhooks []webhook.EndpointState }
		if r := b.get(t, "/webhooks", &list); len(list.Webhooks) != 1 || list.Webhooks[0].Enabled || list.Webhooks[0].Reason != "operator" || strings.Contains(r.body, "/secret") {
			t.Errorf("got %s, want it disabled, without its path", r.body)
		}
		if r := b.call(t, "meera", "POST", "/admin/v1/webhooks/crm/enable", ""); r.status != 200 {
			t.Errorf("got %d %s", r.status, r.body)
		}
		if r := b.call(t, "meera", "POST", "/admin/v1/webhooks/crm/secrets", ""); r.status != 201 || !strings.Contains(r.body, "whsec_") {
			t.Errorf("got %d %s", r.status, r.body)
		}
		if known, err := b.service.Webhooks.Endpoints(t.Context()); err != nil || len(known) != 1 || len(known[0].Secrets) != 2 {
			t.Errorf("got %v, %v, want both secrets to sign", known, err)
		}
		if r := b.call(t, "meera", "DELETE", "/admin/v1/webhooks/crm", ""); r.status != 204 {
			t.Errorf("got %d %s", r.status, r.body)
		}
		b.call(t, "meera", "DELETE", "/admin/v1/webhooks/crm", "").failed(t, "deleted twice", 404, "no_such_webhook")
		var trail struct {
			Records []struct{ Detail string }
		}
		b.get(t, "/audit?action=webhook.change", &trail)
		var done []string
		for _, r := range trail.Records {
			done = append(done, r.Detail)
		}
		slices.Sort(done) // all at the same time
		if want := "created,deleted,disabled,enabled,replayed 1,replayed 2,secret added,tested"; strings.Join(done, ",") != want {
			t.Errorf("got %s in the audit trail, want %s", strings.Join(done, ","), want)
		}
	})
}

func TestWrongRequestsAboutWebhooksAreRefused(t *testing.T) {
	t.Parallel()
	b := startSQLite(t)
	good := `{"name":"crm","url":"https://crm.example/x"}`
	if r := b.call(t, "meera", "POST", "/admin/v1/webhooks", good); r.status != 201 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "", good, 409, "webhook_exists"},
		{"POST", "", `{"name":"The CRM","url":"https://crm.example/x"}`, 422, "invalid_webhook"},
		{"POST", "", `{"name":"b","url":"https://169.254.169.254/x"}`, 422, "invalid_webhook"},
		{"POST", "", `{"name":"b","url":"http://crm.example/x"}`, 422, "invalid_webhook"},
		{"POST", "", `{"name":"b","url":"https://crm.example/x","events":["no.such"]}`, 422, "invalid_webhook"},
		{"POST", "", `{"name":"b","url":"https://crm.example/x","secret":"x"}`, 400, "invalid_json"},
		{"POST", "/crm/replay", `{}`, 422, "invalid_replay"},
		{"POST", "/crm/replay", `{"since":"yesterday"}`, 422, "invalid_replay"},
		{"POST", "/crm/replay", `{"since":"2001-01-01T00:00:00Z"}`, 422, "invalid_replay"},
		{"POST", "/crm/replay", `{"event_id":"ev_x"}`, 404, "no_such_event"},
		{"POST", "/other/replay", `{"event_id":"ev_x"}`, 404, "no_such_webhook"},
		{"POST", "/other/test", ``, 404, "no_such_webhook"},
		{"POST", "/other/enable", ``, 404, "no_such_webhook"},
		{"POST", "/other/secrets", ``, 404, "no_such_webhook"},
		{"GET", "/other/deliveries", ``, 404, "no_such_webhook"},
		{"GET", "/crm/deliveries?state=lost", ``, 400, "invalid_state"},
		{"GET", "/crm/deliveries?cursor=x", ``, 400, "invalid_cursor"},
		{"GET", "/crm/deliveries?limit=0", ``, 400, "invalid_limit"},
		{"GET", "/crm/deliveries?since=x", ``, 400, "invalid_query"},
		{"GET", "?x=1", ``, 400, "invalid_query"},
	} {
		b.call(t, "meera", tt.method, "/admin/v1/webhooks"+tt.path, tt.body).failed(t, tt.method+" "+tt.path+" "+tt.body, tt.status, tt.code)
	}
	b.call(t, "asha", "GET", "/admin/v1/webhooks", "").failed(t, "a user", 403, "forbidden")
	var unread json.RawMessage
	b.get(t, "/webhooks", &unread)
}
