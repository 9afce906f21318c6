package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/webhook"
)

// WebhookStates returns the endpoints of events.
func (s *Service) WebhookStates(ctx context.Context) ([]webhook.EndpointState, error) {
	list, err := s.Webhooks.States(ctx)
	return orEmpty(list), err
}

// Deliveries returns a page of what was sent to an endpoint. It returns the faults of
// webhook.Service.List.
func (s *Service) Deliveries(ctx context.Context, name string, state webhook.State, cursor string, limit int) ([]webhook.DeliveryState, string, error) {
	list, next, err := s.Webhooks.List(ctx, name, state, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	return orEmpty(list), next, s.auditRead(ctx, "", "deliveries "+name)
}

// TestWebhook sends a message to an endpoint that is no event.
func (s *Service) TestWebhook(ctx context.Context, name string) (webhook.Result, error) {
	return s.Webhooks.Test(ctx, auth.From(ctx).Subject, name)
}

// EnableWebhook enables or disables an endpoint.
func (s *Service) EnableWebhook(ctx context.Context, name string, enable bool) error {
	return s.Webhooks.Enable(ctx, auth.From(ctx).Subject, name, enable)
}

// ReplayWebhook has one event, or all since a time, sent to an endpoint again.
func (s *Service) ReplayWebhook(ctx context.Context, name, eventID string, since time.Time) (int, error) {
	return s.Webhooks.Replay(ctx, auth.From(ctx).Subject, name, eventID, since)
}

type webhookList struct {
	Webhooks []webhook.EndpointState `json:"webhooks"`
}

type deliveryList struct {
	Deliveries []webhook.DeliveryState `json:"deliveries"`
	NextCursor *string                 `json:"next_cursor"`
}

// newWebhook is an endpoint, or a secret, that was made. The secret is shown this once.
type newWebhook struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

// testView is the result of a test.
type testView struct {
	OK     bool   `json:"ok"`
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
	TookMS int64  `json:"took_ms"`
}

// enabledView is an endpoint that was enabled or disabled.
type enabledView struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

type replayed struct {
	Events int `json:"events"`
}

func readWebhook(w http.ResponseWriter, r *http.Request) (webhook.Endpoint, error) {
	req, err := read[struct {
		Name   string   `json:"name"`
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}](w, r, `{"name": "backend", "url": "https://app.example/webhooks", "events": ["portfolio.saved"]}`)
	e := webhook.Endpoint{Name: req.Name, URL: req.URL}
	for _, name := range req.Events {
		e.Events = append(e.Events, webhook.Type(name))
	}
	return e, err
}

// sinceField says what is wrong with since.
var sinceField = fault.Field{Pointer: "/since", Detail: "must be a time such as 2036-04-01T10:00:00Z"}

// readReplay reads which events to send again.
func readReplay(w http.ResponseWriter, r *http.Request) (eventID string, since time.Time, err error) {
	req, err := read[struct {
		EventID string         `json:"event_id"`
		Since   jsontext.Value `json:"since"`
	}](w, r, `{"since": "2036-04-01T10:00:00Z"}`)
	if err != nil || len(req.Since) == 0 || string(req.Since) == "null" {
		return req.EventID, since, err
	}
	if since.UnmarshalJSON(req.Since) != nil || since.IsZero() {
		return "", since, webhook.ErrReplay.At(sinceField)
	}
	return req.EventID, since, nil
}
