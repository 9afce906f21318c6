package cli_test

import (
	"slices"
	"strings"
	"testing"

	"casbroker/internal/cli"
)

func TestWebhooksAreListedTestedReplayedAndSwitched(t *testing.T) {
	t.Parallel()
	const (
		states = `{"webhooks":[{"name":"crm","source":"api","host":"crm.example","events":["user.erased"],"enabled":false,"disabled_at":"2026-11-30T10:00:00Z",` +
			`"reason":"gone","pending":2,"oldest_at":"2026-11-30T09:00:00Z"}]}`
		deliveries = `{"deliveries":[{"event_id":"ev_1","type":"user.erased","subject":"app:42","state":"pending","attempts":3,"status":503,"error":"status",` +
			`"queued_at":"2026-11-30T09:00:00Z","tried_at":"2026-11-30T09:05:00Z","took_ms":4}],"next_cursor":null}`
	)
	for _, tt := range []struct{ args, request, answer, want string }{
		{"webhooks", "GET /admin/v1/webhooks", states, "WEBHOOK SOURCE HOST STATE PENDING OLDEST EVENTS / crm api crm.example disabled: gone 2 2026-11-30T09:00:00Z user.erased"},
		{
			"webhooks deliveries crm --state pending", "GET /admin/v1/webhooks/crm/deliveries?limit=50&state=pending", deliveries,
			"QUEUED EVENT TYPE SUBJECT STATE TRIES TRIED STATUS ERROR / 2026-11-30T09:00:00Z ev_1 user.erased app:42 pending 3 2026-11-30T09:05:00Z 503 status",
		},
		{"webhooks test crm", "POST /admin/v1/webhooks/crm/test", `{"ok":true,"status":204,"took_ms":4}`, "crm has taken the test with the status 204."},
		{"webhooks test crm", "POST /admin/v1/webhooks/crm/test", `{"ok":false,"error":"timeout","took_ms":10000}`, "crm has not taken the test: timeout, status 0."},
		{"webhooks replay crm --event ev_1", `POST /admin/v1/webhooks/crm/replay {"event_id":"ev_1"}`, `{"events":1}`, "1 events are sent to crm again."},
		{
			"webhooks replay crm --since 2026-11-30T09:00:00Z", `POST /admin/v1/webhooks/crm/replay {"since":"2026-11-30T09:00:00Z"}`, `{"events":12}`,
			"12 events are sent to crm again.",
		},
		{"webhooks enable crm", "POST /admin/v1/webhooks/crm/enable", `{"name":"crm","enabled":true}`, "crm is enabled."},
		{"webhooks disable crm", "POST /admin/v1/webhooks/crm/disable", `{"name":"crm","enabled":false}`, "crm is disabled."},
	} {
		d := newFakeBroker(t, answerJSON(tt.answer))
		code, out, errs := d.run(t, strings.Fields(tt.args)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for i, line := range lines {
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
		if got := strings.Join(lines, " / "); code != cli.ExitOK || got != tt.want {
			t.Errorf("%s: got %d %q %s, want %q", tt.args, code, got, errs, tt.want)
		}
		if requests := d.inSession(t); !slices.Equal(requests, []string{tt.request}) {
			t.Errorf("%s: got the requests %q, want %q", tt.args, requests, tt.request)
		}
	}
}

func TestInvalidWebhookCommandsAskNoBroker(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"webhooks replay crm", "webhooks replay crm --event ev_1 --since 1h", "webhooks test", "webhooks deliveries crm --state lost",
		"webhooks deliveries crm --limit 0", "webhooks extra",
	} {
		d := newFakeBroker(t, succeed)
		if code, _, errs := d.run(t, strings.Fields(args)...); code != cli.ExitUsage {
			t.Errorf("%s: got %d %s, want %d", args, code, errs, cli.ExitUsage)
		}
	}
}
