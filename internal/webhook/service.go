package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/check"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// Sources of endpoints.
const (
	FromSettings = "settings"
	FromAPI      = "api"
)

// maxReplayAge is how far back a replay may reach: the events are not kept longer by default.
const maxReplayAge = 31 * 24 * time.Hour

// secretSize is the size of a secret that the broker makes, in bytes.
const secretSize = 32

var (
	// ErrNoEndpoint is returned for an endpoint that does not exist.
	ErrNoEndpoint = fault.New(fault.NotFound, "no_such_webhook", "There is no webhook with this name.")
	// ErrNoEvent is returned for an event that does not exist, or was deleted.
	ErrNoEvent = fault.New(fault.NotFound, "no_such_event", "There is no event with this id; it may be too old.")
	// ErrNameTaken is returned if there is an endpoint with the name.
	ErrNameTaken = fault.New(fault.Conflict, "webhook_exists", "There is a webhook with this name.")
	// ErrOfSettings is returned for a change that only the settings can make.
	ErrOfSettings = fault.New(fault.Conflict, "webhook_in_settings", "This webhook is in the settings file; change it there.")
	// ErrEndpoint is returned for an endpoint that cannot be used.
	ErrEndpoint = fault.New(fault.Unprocessable, "invalid_webhook", "The webhook cannot be used.")
	// ErrReplay is returned for a replay of no event, or of both one and all since a time.
	ErrReplay = fault.New(fault.Unprocessable, "invalid_replay",
		"Name either the event_id or since, a time of the last 31 days.")
	// ErrState is returned for a state that deliveries do not have.
	ErrState = fault.New(fault.Invalid, "invalid_state", "state must be pending, delivered or failed; leave it out for all.")
)

// EndpointState is an endpoint as operators see it.
type EndpointState struct {
	Name       string    `json:"name"`
	Source     string    `json:"source"`
	Host       string    `json:"host"` // of its URL, whose path may be a secret; "" if it is not in the settings of this replica
	Events     []Type    `json:"events"`
	PublicKey  string    `json:"ed25519_public_key,omitempty"`
	Enabled    bool      `json:"enabled"`
	DisabledAt time.Time `json:"disabled_at,omitzero"`
	Reason     string    `json:"reason,omitempty"` // operator, gone or settings
	Pending    int       `json:"pending"`
	OldestAt   time.Time `json:"oldest_at,omitzero"` // since when the oldest event waits
}

// DeliveryState is a delivery as operators see it.
type DeliveryState struct {
	EventID  string    `json:"event_id"`
	Type     Type      `json:"type"`
	Subject  string    `json:"subject,omitempty"`
	State    State     `json:"state"`
	Attempts int       `json:"attempts"`
	Status   int       `json:"status,omitempty"` // of the last answer
	Error    string    `json:"error,omitempty"`
	QueuedAt time.Time `json:"queued_at"`
	TriedAt  time.Time `json:"tried_at,omitzero"`
	TookMS   int64     `json:"took_ms"`
	Seq      int64     `json:"-"`
}

// EndpointStore keeps endpoints. Each change is stored with its audit record, both or
// neither. Names that do not exist are ErrNoEndpoint.
type EndpointStore interface {
	EndpointStates(ctx context.Context) ([]EndpointState, error)
	// StoredEndpoints returns the endpoints that were made with the API.
	StoredEndpoints(ctx context.Context) ([]Endpoint, error)
	AddEndpoint(ctx context.Context, e Endpoint, at time.Time, r audit.Record) error
	// ReplaceEndpoint replaces what is sealed of an endpoint made with the API.
	ReplaceEndpoint(ctx context.Context, e Endpoint, r audit.Record) error
	DeleteEndpoint(ctx context.Context, name string, r audit.Record) error
	EnableEndpoint(ctx context.Context, name string, enable bool, at time.Time, r audit.Record) error
	// Deliveries returns up to limit deliveries before a position, the newest first.
	Deliveries(ctx context.Context, name string, state State, before int64, limit int) ([]DeliveryState, error)
	// Replay has one event, or all since a time that the endpoint asks for, sent again.
	Replay(ctx context.Context, name, eventID string, since, at time.Time, r audit.Record) (n int, err error)
}

// Service is what operators do with endpoints. All fields but Settings are required.
type Service struct {
	Store    EndpointStore
	Settings []Endpoint // those of the settings
	Allowed  Allowed
	Sender   *Sender
	Now      func() time.Time

	replaced atomic.Pointer[[]Endpoint] // Settings, once ReplaceSecrets was called
}

// OfSettings returns the endpoints of the settings.
func (s *Service) OfSettings() []Endpoint {
	if list := s.replaced.Load(); list != nil {
		return *list
	}
	return s.Settings
}

// ReplaceSecrets has other secrets sign what is sent to the endpoint of the settings called
// name. ed25519 may be "". It changes nothing if one cannot be used. Calls must not be
// concurrent.
func (s *Service) ReplaceSecrets(name string, secrets []secret.Text, ed25519 secret.Text) error {
	list := slices.Clone(s.OfSettings())
	i := slices.IndexFunc(list, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return ErrNoEndpoint
	}
	list[i].Secrets, list[i].Ed25519 = secrets, ed25519
	var wrong check.Errors
	if list[i].Check(&wrong, name, s.Allowed); len(wrong) > 0 {
		return wrong.Join()
	}
	s.replaced.Store(&list)
	return nil
}

// Endpoints returns the endpoints that this replica can send to.
func (s *Service) Endpoints(ctx context.Context) ([]Endpoint, error) {
	stored, err := s.Store.StoredEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	stored = slices.DeleteFunc(stored, func(e Endpoint) bool {
		return slices.ContainsFunc(s.OfSettings(), func(of Endpoint) bool { return of.Name == e.Name })
	})
	return slices.Concat(s.OfSettings(), stored), nil
}

func (s *Service) find(ctx context.Context, name string) (Endpoint, error) {
	list, err := s.Endpoints(ctx)
	if err != nil {
		return Endpoint{}, err
	}
	i := slices.IndexFunc(list, func(e Endpoint) bool { return e.Name == name })
	if i < 0 {
		return Endpoint{}, ErrNoEndpoint
	}
	return list[i], nil
}

// States returns all endpoints, by name.
func (s *Service) States(ctx context.Context) ([]EndpointState, error) {
	states, err := s.Store.EndpointStates(ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	for i := range states {
		for _, e := range known {
			if e.Name != states[i].Name {
				continue
			}
			if u, err := url.Parse(e.URL); err == nil {
				states[i].Host = u.Host
			}
			states[i].PublicKey = e.PublicKey()
		}
	}
	return states, nil
}

func (s *Service) record(ctx context.Context, actor, name, detail string) audit.Record {
	return audit.New(ctx, s.Now(), actor, audit.WebhookChange, "", name).WithDetail(detail)
}

// Create adds an endpoint with a new secret, which it returns. It returns ErrEndpoint with
// what is wrong, or ErrNameTaken.
func (s *Service) Create(ctx context.Context, actor string, e Endpoint) (Endpoint, error) {
	e.Secrets = []secret.Text{newSecret()}
	var wrong check.Errors
	if e.Check(&wrong, "webhook", s.Allowed); len(wrong) > 0 {
		return Endpoint{}, invalidEndpoint(wrong)
	}
	if slices.ContainsFunc(s.OfSettings(), func(of Endpoint) bool { return of.Name == e.Name }) {
		return Endpoint{}, ErrNameTaken
	}
	return e, s.Store.AddEndpoint(ctx, e, s.Now(), s.record(ctx, actor, e.Name, "created"))
}

// invalidEndpoint returns ErrEndpoint with the members of the request that are wrong.
func invalidEndpoint(wrong check.Errors) error {
	fields := make([]fault.Field, len(wrong))
	for i, err := range wrong {
		key, detail, _ := strings.Cut(strings.TrimPrefix(err.Error(), "webhook."), ": ")
		// An operator needs no setting's name to correct a request, but may need it for an address.
		fields[i] = fault.Field{Pointer: "/" + key, Detail: detail}
	}
	return ErrEndpoint.Withf("The webhook cannot be used: %s: %s.", strings.TrimPrefix(fields[0].Pointer, "/"), fields[0].Detail).At(fields...)
}

func newSecret() secret.Text {
	key := make([]byte, secretSize)
	_, _ = rand.Read(key) // never fails
	return secret.Text(secretPrefix + base64.StdEncoding.EncodeToString(key))
}

// AddSecret adds a new secret to an endpoint that was made with the API, and returns it.
// The one before it signs, too, until the next one is added.
func (s *Service) AddSecret(ctx context.Context, actor, name string) (secret.Text, error) {
	e, err := s.find(ctx, name)
	if err != nil {
		return "", err
	}
	if s.inSettings(name) {
		return "", ErrOfSettings
	}
	added := newSecret()
	e.Secrets = append([]secret.Text{added}, e.Secrets[:1]...)
	return added, s.Store.ReplaceEndpoint(ctx, e, s.record(ctx, actor, name, "secret added"))
}

func (s *Service) inSettings(name string) bool {
	return slices.ContainsFunc(s.OfSettings(), func(e Endpoint) bool { return e.Name == name })
}

// Delete deletes an endpoint that was made with the API, with its deliveries.
func (s *Service) Delete(ctx context.Context, actor, name string) error {
	if s.inSettings(name) {
		return ErrOfSettings
	}
	return s.Store.DeleteEndpoint(ctx, name, s.record(ctx, actor, name, "deleted"))
}

// Enable enables or disables an endpoint. What happens while it is disabled is not sent to
// it, unless it is replayed.
func (s *Service) Enable(ctx context.Context, actor, name string, enable bool) error {
	detail := "disabled"
	if enable {
		detail = "enabled"
	}
	return s.Store.EnableEndpoint(ctx, name, enable, s.Now(), s.record(ctx, actor, name, detail))
}

// Test sends an event of the type webhook.test, which is not stored, once.
func (s *Service) Test(ctx context.Context, actor, name string) (Result, error) {
	e, err := s.find(ctx, name)
	if err != nil {
		return Result{}, err
	}
	if err := s.Store.EnableEndpoint(ctx, name, true, time.Time{}, s.record(ctx, actor, name, "tested")); err != nil {
		return Result{}, err
	}
	return s.Sender.Send(ctx, e, New(Test, "", s.Now(), Object{}).Message())
}

// Replay has one event, or all since a time, sent to an endpoint again, and returns how
// many.
func (s *Service) Replay(ctx context.Context, actor, name, eventID string, since time.Time) (int, error) {
	now := s.Now()
	tooOld := !since.IsZero() && (since.Before(now.Add(-maxReplayAge)) || since.After(now))
	if (eventID == "") == since.IsZero() || tooOld {
		return 0, ErrReplay
	}
	return s.Store.Replay(ctx, name, eventID, since, now, s.record(ctx, actor, name, "replayed"))
}

// deliveryCursor begins the cursors of deliveries.
const deliveryCursor = "wd "

// List returns up to limit deliveries of an endpoint, 1 to MaxPage, the newest event first,
// and the cursor of the next page, "" for none. cursor is "" for the first page.
func (s *Service) List(ctx context.Context, name string, state State, cursor string, limit int) ([]DeliveryState, string, error) {
	before, ok := decodePosition(cursor, deliveryCursor)
	switch {
	case !ok:
		return nil, "", httpapi.ErrCursor
	case limit < 1 || limit > MaxPage:
		return nil, "", httpapi.BadLimit(MaxPage)
	case state != "" && state != Pending && state != Delivered && state != Failed:
		return nil, "", ErrState
	}
	list, err := s.Store.Deliveries(ctx, name, state, before, limit+1)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	list = list[:limit]
	return list, encodePosition(deliveryCursor, list[limit-1].Seq), nil
}
