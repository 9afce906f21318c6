package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/webhook"
)

// disabledOperator is why an endpoint is disabled that an operator has disabled.
const disabledOperator = "operator"

// sealedEndpoint is what is encrypted of an endpoint.
type sealedEndpoint struct {
	URL     string   `json:"url"`
	Secrets []string `json:"secrets"`
	Ed25519 string   `json:"ed25519,omitempty"`
}

func (s *DB) sealEndpoint(e webhook.Endpoint) ([]byte, error) {
	v := sealedEndpoint{URL: e.URL, Ed25519: e.Ed25519.Reveal()}
	for _, text := range e.Secrets {
		v.Secrets = append(v.Secrets, text.Reveal())
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an endpoint: %w", err)
	}
	return s.box.Seal(endpointData(e.Name), plain), nil
}

// endpointData returns the associated data of an endpoint.
func endpointData(name string) string { return "webhook_endpoints/" + name }

// StoredEndpoints returns the endpoints that were made with the API. It logs those that
// cannot be decrypted.
func (s *DB) StoredEndpoints(ctx context.Context) ([]webhook.Endpoint, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (webhook.Endpoint, error) {
		var e webhook.Endpoint
		var filter string
		var sealed []byte
		if err := scan(&e.Name, &filter, &sealed); err != nil {
			return e, err
		}
		var v sealedEndpoint
		plain, err := s.box.Open(endpointData(e.Name), sealed)
		if err == nil {
			err = json.Unmarshal(plain, &v)
		}
		if err != nil {
			s.log.ErrorContext(ctx, "a webhook cannot be read, so nothing is sent to it", "endpoint", e.Name, "error", err)
			return webhook.Endpoint{}, nil
		}
		e.URL, e.Ed25519, e.Events = v.URL, secret.Text(v.Ed25519), typesIn(filter)
		for _, text := range v.Secrets {
			e.Secrets = append(e.Secrets, secret.Text(text))
		}
		return e, nil
	}, `SELECT name, events, sealed FROM webhook_endpoints WHERE source = $1 AND sealed IS NOT NULL ORDER BY name`, webhook.FromAPI)
	list = slices.DeleteFunc(list, func(e webhook.Endpoint) bool { return e.URL == "" })
	return list, s.explain(ctx, "read webhooks", err)
}

// typesIn returns the types in ",type,type,".
func typesIn(filter string) []webhook.Type {
	list := []webhook.Type{}
	for name := range strings.SplitSeq(strings.Trim(filter, ","), ",") {
		if name != "" {
			list = append(list, webhook.Type(name))
		}
	}
	return list
}

// EndpointStates returns all endpoints, by name, without what is in the settings or sealed.
func (s *DB) EndpointStates(ctx context.Context) ([]webhook.EndpointState, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (webhook.EndpointState, error) {
		var e webhook.EndpointState
		var filter string
		var disabledMS, oldestMS int64
		err := scan(&e.Name, &e.Source, &filter, &disabledMS, &e.Reason, &e.Pending, &oldestMS)
		e.Events, e.Enabled = typesIn(filter), disabledMS == 0
		e.DisabledAt, e.OldestAt = optionalInstant(disabledMS), optionalInstant(oldestMS)
		return e, err
	}, `SELECT w.name, w.source, w.events, w.disabled_ms, w.reason, COUNT(d.event), COALESCE(MIN(d.made_ms), 0) FROM webhook_endpoints w
		LEFT JOIN webhook_deliveries d ON d.endpoint = w.name AND d.state = 'pending'
		GROUP BY w.name, w.source, w.events, w.disabled_ms, w.reason ORDER BY w.name`)
	return list, s.explain(ctx, "read webhooks", err)
}

// AddEndpoint stores an endpoint. It returns webhook.ErrNameTaken if there is one.
func (s *DB) AddEndpoint(ctx context.Context, e webhook.Endpoint, at time.Time, r audit.Record) error {
	sealed, err := s.sealEndpoint(e)
	if err != nil {
		return err
	}
	return s.changeEndpoint(ctx, webhook.ErrNameTaken, r, `INSERT INTO webhook_endpoints (name, source, events, created_ms, sealed)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING`,
		e.Name, webhook.FromAPI, webhook.Filters([]webhook.Endpoint{e})[0].Events, millis(at), sealed)
}

// ReplaceEndpoint replaces what is sealed of an endpoint.
func (s *DB) ReplaceEndpoint(ctx context.Context, e webhook.Endpoint, r audit.Record) error {
	sealed, err := s.sealEndpoint(e)
	if err != nil {
		return err
	}
	return s.changeEndpoint(ctx, webhook.ErrNoEndpoint, r, `UPDATE webhook_endpoints SET sealed = $2 WHERE name = $1 AND source = $3`,
		e.Name, sealed, webhook.FromAPI)
}

// DeleteEndpoint deletes an endpoint that was made with the API, with its deliveries.
func (s *DB) DeleteEndpoint(ctx context.Context, name string, r audit.Record) error {
	return s.change(ctx, "delete a webhook", func(ctx context.Context, tx *sql.Tx) error {
		// In the order in which new events and tries lock them.
		for _, query := range []string{
			`UPDATE event_state SET seq = seq WHERE $1 <> ''`,
			`DELETE FROM webhook_queues WHERE endpoint = $1`,
			`DELETE FROM webhook_deliveries WHERE endpoint = $1`,
		} {
			if _, err := tx.ExecContext(ctx, query, name); err != nil {
				return fmt.Errorf("delete deliveries: %w", err)
			}
		}
		n, err := changeRows(ctx, tx, `DELETE FROM webhook_endpoints WHERE name = $1 AND source = $2`, name, webhook.FromAPI)
		if err != nil {
			return err
		}
		if n == 0 {
			return webhook.ErrNoEndpoint
		}
		return s.record(ctx, tx, r)
	})
}

// EnableEndpoint enables or disables an endpoint. With the zero time it only records r.
func (s *DB) EnableEndpoint(ctx context.Context, name string, enable bool, at time.Time, r audit.Record) error {
	query, args := `UPDATE webhook_endpoints SET disabled_ms = 0, reason = '' WHERE name = $1`, []any{name}
	switch {
	case at.IsZero():
		query = `UPDATE webhook_endpoints SET reason = reason WHERE name = $1`
	case !enable:
		query = `UPDATE webhook_endpoints SET disabled_ms = CASE WHEN disabled_ms = 0 THEN CAST($2 AS BIGINT) ELSE disabled_ms END, reason = $3 WHERE name = $1`
		args = append(args, millis(at), disabledOperator)
	}
	return s.changeEndpoint(ctx, webhook.ErrNoEndpoint, r, query, args...)
}

// changeEndpoint runs a statement that changes one endpoint, and records r. It returns none
// if it changes no endpoint.
func (s *DB) changeEndpoint(ctx context.Context, none error, r audit.Record, query string, args ...any) error {
	return s.change(ctx, "change a webhook", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changeRows(ctx, tx, query, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return none
		}
		return s.record(ctx, tx, r)
	})
}

// ofState has the condition of each state of deliveries. It is part of the statement, since the indexes of
// those that wait and of those that have failed are found by it.
var ofState = map[webhook.State]string{
	"": "", webhook.Pending: " AND d.state = 'pending'", webhook.Delivered: " AND d.state = 'delivered'", webhook.Failed: " AND d.state = 'failed'",
}

// Deliveries returns up to limit deliveries of an endpoint before a position, 0 for the end,
// the newest first.
func (s *DB) Deliveries(ctx context.Context, name string, state webhook.State, before int64, limit int) ([]webhook.DeliveryState, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if before == 0 {
		before = math.MaxInt64
	}
	only, found := ofState[state]
	if !found {
		return nil, nil
	}
	var known bool
	if err := s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE name = $1)`, name).Scan(&known); err != nil {
		return nil, s.explain(ctx, "find a webhook", err)
	}
	if !known {
		return nil, webhook.ErrNoEndpoint
	}
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (webhook.DeliveryState, error) {
		var d webhook.DeliveryState
		var madeMS, triedMS int64
		err := scan(&d.EventID, &d.Type, &d.Subject, &d.State, &d.Attempts, &d.Status, &d.Error, &madeMS, &triedMS, &d.TookMS, &d.Seq)
		d.QueuedAt, d.TriedAt = instant(madeMS), optionalInstant(triedMS)
		return d, err
	}, `SELECT e.id, e.type, e.subject, d.state, d.attempts, d.status, d.error, d.made_ms, d.tried_ms, d.took_ms, d.seq
		FROM webhook_deliveries d JOIN events e ON e.id = d.event
		WHERE d.endpoint = $1 AND d.seq < $2`+only+` ORDER BY d.seq DESC LIMIT $3`, name, before, limit)
	return list, s.explain(ctx, "read deliveries", err)
}

// Replay has one event, or all since a time that the endpoint asks for, sent again, and
// returns how many.
func (s *DB) Replay(ctx context.Context, name, eventID string, since, at time.Time, r audit.Record) (n int, err error) {
	err = s.change(ctx, "replay events", func(ctx context.Context, tx *sql.Tx) error {
		var last int64 // locked, as when events get their positions
		if err := tx.QueryRowContext(ctx, `UPDATE event_state SET seq = seq RETURNING seq`).Scan(&last); err != nil {
			return fmt.Errorf("lock the last position: %w", err)
		}
		var known bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE name = $1)`, name).Scan(&known); err != nil {
			return err
		}
		if !known {
			return webhook.ErrNoEndpoint
		}
		n, err = changeRows(ctx, tx, `INSERT INTO webhook_deliveries (endpoint, event, seq, who, state, made_ms)
			SELECT w.name, e.id, e.seq, e.who, 'pending', CAST($1 AS BIGINT) FROM events e JOIN webhook_endpoints w ON w.name = $2
			WHERE e.seq > 0 AND (e.id = $3 OR $3 = '' AND e.at_ms >= $4 AND (w.events = '' OR w.events LIKE '%,' || e.type || ',%'))
			ON CONFLICT (endpoint, event) DO UPDATE SET state = 'pending', who = excluded.who, made_ms = excluded.made_ms, attempts = 0`,
			millis(at), name, eventID, optionalMillis(since))
		if err != nil {
			return err
		}
		if n == 0 && eventID != "" {
			return webhook.ErrNoEvent
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO webhook_queues (endpoint, who, next_ms)
			SELECT endpoint, who, CAST($1 AS BIGINT) FROM webhook_deliveries WHERE endpoint = $2 AND state = 'pending' AND made_ms = $1
			GROUP BY endpoint, who ORDER BY endpoint, who ON CONFLICT (endpoint, who) DO UPDATE SET next_ms = excluded.next_ms`, millis(at), name)
		if err != nil {
			return err
		}
		return s.record(ctx, tx, r.WithDetail(fmt.Sprintf("replayed %d", n)))
	})
	return n, err
}
