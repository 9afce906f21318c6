package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"casbroker/internal/check"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
	"casbroker/internal/webhook"
)

const (
	// retryEvents is when events are worked on again after the database has failed.
	retryEvents = time.Second
	// backlogEvery is how often the events that wait are counted.
	backlogEvery = 10 * time.Second
)

// newEndpoints returns the endpoints of the settings, with the secrets that are in files,
// and the private addresses that events may be sent to.
func newEndpoints(c config.Webhooks) ([]webhook.Endpoint, webhook.Allowed, error) {
	var wrong check.Errors
	allowed, err := webhook.ParseAllowed(c.AllowPrivate)
	if err != nil {
		wrong.Add("webhooks.allow_private", "%s", err)
	}
	list := make([]webhook.Endpoint, len(c.Endpoints))
	for i, w := range c.Endpoints {
		key := fmt.Sprintf("webhooks.endpoints[%d]", i)
		e := webhook.Endpoint{Name: w.Name, URL: w.URL.Reveal()}
		for n, s := range w.Secrets {
			e.Secrets = append(e.Secrets, readSecret(&wrong, fmt.Sprintf("%s.secrets[%d].secret_file", key, n), s.Secret, s.SecretFile))
		}
		e.Ed25519 = readSecret(&wrong, key+".ed25519_key_file", w.Ed25519Key, w.Ed25519KeyFile)
		for _, name := range w.Events {
			e.Events = append(e.Events, webhook.Type(name))
		}
		e.Check(&wrong, key, allowed)
		list[i] = e
	}
	return list, allowed, wrong.Join()
}

// readSecret returns value, or the content of file unless that is "".
func readSecret(wrong *check.Errors, key string, value secret.Text, file string) secret.Text {
	if file == "" {
		return value
	}
	value, err := secret.ReadFile(file)
	if err != nil {
		wrong.Add(key, "%s", err)
	}
	return secret.Text(strings.TrimSpace(value.Reveal()))
}

// endpointSecrets lists the secrets of endpoints. A URL is one, since its path may be.
func endpointSecrets(endpoints []webhook.Endpoint) (list []secret.Text) {
	for _, e := range endpoints {
		list = append(append(list, e.Secrets...), e.Ed25519, secret.Text(e.URL))
	}
	return list
}

// events is what puts events into order and sends them.
type events struct {
	feed      *webhook.Feed
	deliverer *webhook.Deliverer
	service   *webhook.Service
	db        *store.DB
	metrics   *telemetry.Metrics
	now       func() time.Time

	sync   sync.Once
	synced chan struct{} // closed once the database knows the endpoints
}

// newEvents returns what works on events. Check has found c valid.
func newEvents(c config.Webhooks, db *store.DB, metrics *telemetry.Metrics, tracer *tracing.Tracer, log *slog.Logger, now func() time.Time) *events {
	endpoints, allowed, _ := newEndpoints(c)
	sender := webhook.NewSender(allowed, now)
	service := &webhook.Service{Store: db, Settings: endpoints, Allowed: allowed, Sender: sender, Now: now}
	e := &events{feed: &webhook.Feed{Store: db, Now: now}, service: service, db: db, metrics: metrics, now: now, synced: make(chan struct{})}
	e.deliverer = &webhook.Deliverer{
		Deliveries: db, Sender: sender, Feed: e.feed, Log: log, Now: now, Observe: metrics.CountDelivery,
		Endpoints: service.Endpoints, Tracer: tracer,
	}
	return e
}

// jobs returns the jobs of events. The first two end with the program.
func (e *events) jobs() []job {
	return []job{
		{name: "put events into order", every: retryEvents, atStart: true, endless: true, do: func(ctx context.Context) error {
			if err := e.db.SyncEndpoints(ctx, webhook.Filters(e.service.OfSettings()), e.now()); err != nil {
				return err
			}
			e.sync.Do(func() { close(e.synced) })
			return e.feed.Run(ctx)
		}},
		{name: "send events", every: retryEvents, atStart: true, endless: true, do: func(ctx context.Context) error {
			defer e.deliverer.Sender.Close()
			err := e.deliverer.Run(ctx)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}},
		{name: "count events that wait", every: backlogEvery, atStart: true, do: func(ctx context.Context) error {
			select {
			case <-e.synced:
			case <-ctx.Done():
				return ctx.Err()
			}
			list, err := e.db.EventBacklogs(ctx)
			for _, b := range list {
				age := time.Duration(0)
				if !b.Oldest.IsZero() {
					age = e.now().Sub(b.Oldest)
				}
				e.metrics.SetBacklog(b.Endpoint, b.Events, age)
			}
			return err
		}},
	}
}
