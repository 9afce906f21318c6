package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/webhook"
)

// The sources of endpoints, and why one is disabled.
const (
	fromSettings = "settings"

	disabledGone     = "gone"
	disabledSettings = "settings"
)

// SyncEndpoints makes the endpoints of the settings those of list. Those that are no longer
// in the settings are disabled, and enabled again when they are back: replicas with other
// settings may still run.
func (s *DB) SyncEndpoints(ctx context.Context, list []webhook.Filter, now time.Time) error {
	return s.change(ctx, "store endpoints", func(ctx context.Context, tx *sql.Tx) error {
		if s.dialect.lock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.lock, "webhook endpoints"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE webhook_endpoints SET disabled_ms = $1, reason = $2 WHERE source = $3 AND disabled_ms = 0`,
			millis(now), disabledSettings, fromSettings)
		if err != nil {
			return err
		}
		for _, f := range list {
			_, err := tx.ExecContext(ctx, `INSERT INTO webhook_endpoints (name, source, events, created_ms) VALUES ($1, $2, $3, $4)
				ON CONFLICT (name) DO UPDATE SET source = excluded.source, events = excluded.events, sealed = NULL,
				disabled_ms = CASE WHEN webhook_endpoints.reason = $5 THEN 0 ELSE webhook_endpoints.disabled_ms END,
				reason = CASE WHEN webhook_endpoints.reason = $5 THEN '' ELSE webhook_endpoints.reason END`,
				f.Name, fromSettings, f.Events, millis(now), disabledSettings)
			if err != nil {
				return fmt.Errorf("store an endpoint: %w", err)
			}
		}
		return nil
	})
}

// onNewDeliveries ends an INSERT into webhook_queues for users with new deliveries. The row
// is locked also if it exists, since Finish deletes it.
const onNewDeliveries = ` ON CONFLICT (endpoint, who) DO UPDATE SET next_ms = webhook_queues.next_ms`

// addDeliveries adds the deliveries of the events after position last.
func addDeliveries(ctx context.Context, tx *sql.Tx, last int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO webhook_deliveries (endpoint, event, seq, who, state, made_ms)
		SELECT w.name, e.id, e.seq, e.who, 'pending', CAST($1 AS BIGINT) FROM events e JOIN webhook_endpoints w
		ON w.disabled_ms = 0 AND (w.events = '' OR w.events LIKE '%,' || e.type || ',%') WHERE e.seq > $2`, millis(now), last)
	if err != nil {
		return fmt.Errorf("add deliveries: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO webhook_queues (endpoint, who, next_ms)
		SELECT d.endpoint, d.who, CAST($1 AS BIGINT) FROM webhook_endpoints w
		CROSS JOIN webhook_deliveries d WHERE d.endpoint = w.name AND d.seq > $2 AND d.state = 'pending'
		GROUP BY d.endpoint, d.who ORDER BY d.endpoint, d.who`+onNewDeliveries, millis(now), last)
	if err != nil {
		return fmt.Errorf("queue deliveries: %w", err)
	}
	return nil
}

// dueQueue is the condition that the deliveries of a user may be made by a replica at $2. A
// lease that ends after $3 is of a clock that was wrong.
const dueQueue = `endpoint = $1 AND next_ms <= $2 AND (lease_ms <= $2 OR lease_ms > $3)
	AND EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.name = endpoint AND w.disabled_ms = 0)`

// maxLease is longer than any reservation of a user's deliveries.
const maxLease = 10 * time.Minute

// Claim reserves up to limit users with events that are due at now, and returns the first
// event of each.
func (s *DB) Claim(ctx context.Context, endpoint string, now, lease time.Time, limit int) (list []webhook.Delivery, err error) {
	due, err := s.anyDue(ctx, endpoint, now)
	if err != nil || !due { // reads do not wait for SQLite's writer
		return nil, err
	}
	token, farthest := id.New("wl"), millis(now.Add(maxLease))
	err = s.change(ctx, "reserve deliveries", func(ctx context.Context, tx *sql.Tx) error {
		list = nil
		users, err := queryAll(ctx, tx, func(scan func(...any) error) (who string, err error) { return who, scan(&who) },
			`WITH due AS MATERIALIZED (SELECT who FROM webhook_queues WHERE `+dueQueue+` ORDER BY next_ms LIMIT $4`+s.dialect.skipLocked+`)
			UPDATE webhook_queues SET lease_ms = $5, lease = $6 WHERE endpoint = $1 AND who IN (SELECT who FROM due) RETURNING who`,
			endpoint, millis(now), farthest, limit, millis(lease), token)
		if err != nil {
			return err
		}
		for _, who := range users {
			d, err := headOf(ctx, tx, webhook.Delivery{Endpoint: endpoint, Who: who, Lease: token})
			if err != nil {
				return err
			}
			if d != nil {
				list = append(list, *d)
			}
		}
		return nil
	})
	return list, err
}

func (s *DB) anyDue(ctx context.Context, endpoint string, now time.Time) (due bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_queues WHERE `+dueQueue+`)`,
		endpoint, millis(now), millis(now.Add(maxLease))).Scan(&due)
	return due, s.explain(ctx, "look for due deliveries", err)
}

// headOf completes d with the first pending event of its user. If there is none, it deletes
// the queue and returns nil. The caller must have locked the queue in an earlier statement,
// so that this one sees what was added before.
func headOf(ctx context.Context, tx *sql.Tx, d webhook.Delivery) (*webhook.Delivery, error) {
	var madeMS int64
	e, err := scanEvent(func(into ...any) error {
		return tx.QueryRowContext(ctx, `SELECT `+eventColumns+`, d.made_ms, d.attempts FROM webhook_deliveries d JOIN events e ON e.id = d.event
			WHERE d.endpoint = $1 AND d.who = $2 AND d.state = 'pending' ORDER BY d.seq LIMIT 1`, d.Endpoint, d.Who).
			Scan(append(into, &madeMS, &d.Attempts)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `DELETE FROM webhook_queues WHERE endpoint = $1 AND who = $2`, d.Endpoint, d.Who)
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("read a delivery: %w", err)
	}
	d.Event, d.MadeAt = e, instant(madeMS)
	return &d, nil
}

// Finish records a try. Unless the event stays pending it returns the next one of the user,
// reserved until lease.
func (s *DB) Finish(ctx context.Context, d webhook.Delivery, o webhook.Outcome, lease time.Time) (next *webhook.Delivery, err error) {
	err = s.change(ctx, "record a delivery", func(ctx context.Context, tx *sql.Tx) error {
		next = nil
		n, err := changeRows(ctx, tx, `UPDATE webhook_queues SET lease_ms = $4 WHERE endpoint = $1 AND who = $2 AND lease = $3`,
			d.Endpoint, d.Who, d.Lease, millis(lease))
		if err == nil && n == 0 {
			err = webhook.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE webhook_deliveries SET state = $3, attempts = attempts + 1, tried_ms = $4, status = $5,
			error = $6, took_ms = $7, who = CASE WHEN CAST($3 AS TEXT) = 'pending' THEN who ELSE '' END WHERE endpoint = $1 AND event = $2`,
			d.Endpoint, d.Event.ID, string(o.State), millis(o.At), o.Status, o.Error, o.Took.Milliseconds())
		if err != nil {
			return err
		}
		if o.Disable {
			_, err = tx.ExecContext(ctx, `UPDATE webhook_endpoints SET disabled_ms = $2, reason = $3 WHERE name = $1 AND disabled_ms = 0`,
				d.Endpoint, millis(o.At), disabledGone)
			if err != nil {
				return err
			}
		}
		if o.State == webhook.Pending {
			return release(ctx, tx, d, o.RetryAt)
		}
		next, err = headOf(ctx, tx, webhook.Delivery{Endpoint: d.Endpoint, Who: d.Who, Lease: d.Lease})
		return err
	})
	return next, err
}

// release ends a reservation; the user's events are due at the given time.
func release(ctx context.Context, tx *sql.Tx, d webhook.Delivery, due time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE webhook_queues SET next_ms = CASE WHEN CAST($4 AS BIGINT) = 0 THEN next_ms ELSE CAST($4 AS BIGINT) END,
		lease_ms = 0, lease = '' WHERE endpoint = $1 AND who = $2 AND lease = $3`,
		d.Endpoint, d.Who, d.Lease, optionalMillis(due))
	return err
}

// Release ends a reservation without a try.
func (s *DB) Release(ctx context.Context, d webhook.Delivery) error {
	return s.change(ctx, "release a delivery", func(ctx context.Context, tx *sql.Tx) error {
		return release(ctx, tx, d, time.Time{})
	})
}

// EventBacklogs returns how many events wait for each endpoint that is enabled, and since
// when the oldest of them does.
func (s *DB) EventBacklogs(ctx context.Context) ([]webhook.Backlog, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (webhook.Backlog, error) {
		var b webhook.Backlog
		var oldestMS int64
		err := scan(&b.Endpoint, &b.Events, &oldestMS)
		b.Oldest = optionalInstant(oldestMS)
		return b, err
	}, `SELECT w.name, COUNT(d.event), COALESCE(MIN(d.made_ms), 0) FROM webhook_endpoints w
		LEFT JOIN webhook_deliveries d ON d.endpoint = w.name AND d.state = 'pending'
		WHERE w.disabled_ms = 0 GROUP BY w.name ORDER BY w.name`)
	return list, s.explain(ctx, "count pending deliveries", err)
}
