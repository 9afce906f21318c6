package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// webhooksPath is the path of webhooks at a broker.
const webhooksPath = "/admin/v1/webhooks"

var errWhatToReplay = usageError{errors.New("name what to send again: --event or --since, not both")}

type webhooksCommand struct {
	brokerFlags
	JSON bool `help:"Print the broker's answer as JSON, for scripts."`
}

// webhookState is a webhook in a broker's answer.
type webhookState struct {
	Name     string    `json:"name"`
	Source   string    `json:"source"`
	Host     string    `json:"host"`
	Events   []string  `json:"events"`
	Enabled  bool      `json:"enabled"`
	Reason   string    `json:"reason"`
	Pending  int       `json:"pending"`
	OldestAt time.Time `json:"oldest_at"`
}

func (w webhookState) cells() []string {
	return []string{
		w.Name, w.Source, w.Host, either(w.Enabled, "enabled", "disabled: "+w.Reason), strconv.Itoa(w.Pending), formatTime(w.OldestAt),
		either(len(w.Events) == 0, "all", strings.Join(w.Events, ",")),
	}
}

// Help explains the columns.
func (webhooksCommand) Help() string {
	return "PENDING are events that wait to be sent, OLDEST since when the first of them does."
}

// Run prints the webhooks.
func (c webhooksCommand) Run(ctx context.Context, t *Terminal) error {
	return c.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodGet, webhooksPath, nil)
		if err != nil {
			return err
		}
		return printMember(t, answer, c.JSON, "webhooks", "WEBHOOK SOURCE HOST STATE PENDING OLDEST EVENTS", webhookState.cells)
	})
}

type deliveriesCommand struct {
	Webhook name  `arg:"" help:"The webhook."`
	State   *name `enum:"pending,delivered,failed" placeholder:"STATE" help:"Only those in this state: pending, delivered or failed."`
	Limit   int   `default:"50" help:"The maximum number."`
	JSON    bool  `help:"Print a JSON object per line, for scripts."`
	brokerFlags
}

// sent is a delivery in a broker's answer.
type sent struct {
	EventID  string    `json:"event_id"`
	Type     string    `json:"type"`
	Subject  string    `json:"subject"`
	State    string    `json:"state"`
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"`
	Error    string    `json:"error"`
	QueuedAt time.Time `json:"queued_at"`
	TriedAt  time.Time `json:"tried_at"`
}

func (d sent) cells() []string {
	return []string{
		formatTime(d.QueuedAt), d.EventID, d.Type, d.Subject, d.State, strconv.Itoa(d.Attempts), formatTime(d.TriedAt),
		either(d.Status == 0, "", strconv.Itoa(d.Status)), d.Error,
	}
}

// Run prints what was sent to a webhook, the newest event first.
func (c deliveriesCommand) Run(ctx context.Context, t *Terminal) error {
	if c.Limit < 1 {
		return errLimit
	}
	q := url.Values{}
	set(q, "state", c.State)
	l := list{path: webhooksPath + "/" + c.Webhook.escaped() + "/deliveries", query: q, member: "deliveries", maxPage: 500}
	return c.signedIn(ctx, t, func(b *client) error {
		if c.JSON {
			return b.each(ctx, l, c.Limit, printLines(t.Out))
		}
		return b.each(ctx, l, c.Limit, printTable(t.Out, "QUEUED EVENT TYPE SUBJECT STATE TRIES TRIED STATUS ERROR", sent.cells))
	})
}

// webhookAction is the answer to an action about a webhook.
type webhookAction struct {
	OK     bool   `json:"ok"`
	Status int    `json:"status"`
	Error  string `json:"error"`
	Events int    `json:"events"`
}

// actOn sends an action about a webhook to a broker and prints text of its answer.
func (f actionFlags) actOn(ctx context.Context, t *Terminal, webhook name, action string, body any, text func(webhookAction) string) error {
	return f.signedIn(ctx, t, func(b *client) error {
		answer, err := b.ask(ctx, http.MethodPost, webhooksPath+"/"+webhook.escaped()+"/"+action, body)
		if err != nil {
			return err
		}
		if f.JSON {
			return printObject(t, answer)
		}
		var a webhookAction
		if err := json.Unmarshal(answer, &a); err != nil {
			return formError{err}
		}
		_, err = fmt.Fprintln(t.Out, strings.Map(printable, text(a)))
		return err
	})
}

type testWebhookCommand struct {
	Webhook name `arg:"" help:"The webhook."`
	actionFlags
}

// Run sends a test.
func (c testWebhookCommand) Run(ctx context.Context, t *Terminal) error {
	return c.actOn(ctx, t, c.Webhook, "test", nil, func(a webhookAction) string {
		if a.OK {
			return fmt.Sprintf("%s has taken the test with the status %d.", c.Webhook, a.Status)
		}
		return fmt.Sprintf("%s has not taken the test: %s, status %d.", c.Webhook, a.Error, a.Status)
	})
}

type replayCommand struct {
	Webhook name     `arg:"" help:"The webhook."`
	Event   name     `placeholder:"ID" help:"Send this event again."`
	Since   pastTime `placeholder:"TIME" help:"Send all events again since this time: 2026-04-01T10:00:00Z, or 24h for a day ago."`
	actionFlags
}

// Run has events sent again.
func (c replayCommand) Run(ctx context.Context, t *Terminal) error {
	since := time.Time(c.Since)
	if (c.Event == "") == since.IsZero() {
		return errWhatToReplay
	}
	body := map[string]string{"event_id": string(c.Event)}
	if !since.IsZero() {
		body = map[string]string{"since": since.UTC().Format(time.RFC3339Nano)}
	}
	return c.actOn(ctx, t, c.Webhook, "replay", body, func(a webhookAction) string {
		return fmt.Sprintf("%d events are sent to %s again.", a.Events, c.Webhook)
	})
}

type enableWebhookCommand struct {
	Webhook name `arg:"" help:"The webhook."`
	actionFlags
}

// Run enables a webhook.
func (c enableWebhookCommand) Run(ctx context.Context, t *Terminal) error {
	return c.actOn(ctx, t, c.Webhook, "enable", nil, func(webhookAction) string { return string(c.Webhook) + " is enabled." })
}

type disableWebhookCommand struct {
	Webhook name `arg:"" help:"The webhook."`
	actionFlags
}

// Run disables a webhook.
func (c disableWebhookCommand) Run(ctx context.Context, t *Terminal) error {
	return c.actOn(ctx, t, c.Webhook, "disable", nil, func(webhookAction) string { return string(c.Webhook) + " is disabled." })
}
