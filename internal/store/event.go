package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/webhook"
)

// expireEvents is how many events one transaction deletes.
const expireEvents = 500

// eventValues is how many values emit writes of an event.
const eventValues = 7

// emit writes events, in their order, as part of the change that they are about.
func (s *DB) emit(ctx context.Context, tx *sql.Tx, events ...webhook.Event) error {
	query, args := `INSERT INTO events (id, type, subject, who, at_ms, object, traceparent) VALUES `, make([]any, 0, eventValues*len(events))
	for i, e := range events {
		object, err := json.Marshal(e.Object)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		if i > 0 {
			query += ", "
		}
		query += "(" + placeholders(len(args)+1, eventValues) + ")" //nolint:gosec // numbers
		args = append(args, e.ID, string(e.Type), e.Subject, s.eventQueue(e.Subject), millis(e.At), string(object), traceparentOf(ctx))
	}
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	leaseOf(ctx).emitted = true
	return nil
}

// eventQueue returns what stands for a subject where events are put into order. It does not
// name the subject.
func (s *DB) eventQueue(subject string) string {
	if subject == "" {
		return ""
	}
	return hex.EncodeToString(s.box.Digest("event queue", []byte(subject)))
}

// Emitted receives a value after this process has committed an event.
func (s *DB) Emitted() <-chan struct{} { return s.emitted }

// notifyEmitted is called after a transaction was committed.
func (s *DB) notifyEmitted(lease *chainLease) {
	if !lease.emitted {
		return
	}
	select {
	case s.emitted <- struct{}{}:
	default: // one value stands for all events
	}
}

// NumberEvents gives up to limit events their positions, adds their deliveries, which are due
// at now, and returns how many it was. Of concurrent callers, one waits for the other, so that an event which is committed later
// has a greater position.
func (s *DB) NumberEvents(ctx context.Context, now time.Time, limit int) (n int, err error) {
	waiting, err := s.anyUnnumbered(ctx)
	if err != nil || !waiting { // reads do not wait for SQLite's writer
		return 0, err
	}
	err = s.change(ctx, "number events", func(ctx context.Context, tx *sql.Tx) error {
		var last int64 // its row stays locked; the next statement sees what was committed until now
		if err := tx.QueryRowContext(ctx, `UPDATE event_state SET seq = seq RETURNING seq`).Scan(&last); err != nil {
			return fmt.Errorf("lock the last position: %w", err)
		}
		n, err = changeRows(ctx, tx, `UPDATE events SET seq = $1 + o.k FROM (SELECT n, ROW_NUMBER() OVER (ORDER BY n) AS k
			FROM events WHERE seq = 0 ORDER BY n LIMIT $2) AS o WHERE events.n = o.n`, last, limit)
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, `UPDATE event_state SET seq = seq + $1`, n); err != nil {
			return err
		}
		return addDeliveries(ctx, tx, last, now)
	})
	return n, err
}

func (s *DB) anyUnnumbered(ctx context.Context) (found bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE seq = 0)`).Scan(&found)
	return found, s.explain(ctx, "look for new events", err)
}

const eventColumns = `e.id, e.seq, e.type, e.subject, e.at_ms, e.object, COALESCE(e.traceparent, '')`

func scanEvent(scan func(...any) error) (webhook.Event, error) {
	var e webhook.Event
	var atMS int64
	var object string
	if err := scan(&e.ID, &e.Seq, &e.Type, &e.Subject, &atMS, &object, &e.Traceparent); err != nil {
		return e, err
	}
	e.At = instant(atMS)
	return e, json.Unmarshal([]byte(object), &e.Object)
}

// Events returns up to limit events after a position, in their order, and the last position
// that was given.
func (s *DB) Events(ctx context.Context, after int64, limit int) (list []webhook.Event, newest int64, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err = queryAll(ctx, s.reader, scanEvent,
		`SELECT `+eventColumns+` FROM events e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2`, after, limit)
	if err == nil { // afterwards, so it is not older than the list
		err = s.reader.QueryRowContext(ctx, `SELECT seq FROM event_state`).Scan(&newest)
	}
	return list, newest, s.explain(ctx, "read events", err)
}

// ExpireEvents deletes the events that happened at until or before. It works in small
// transactions and returns how many it deleted, also when it fails halfway.
func (s *DB) ExpireEvents(ctx context.Context, until time.Time) (total int, err error) {
	for {
		n := 0
		err := s.change(ctx, "delete old events", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM events WHERE n IN
				(SELECT n FROM events WHERE at_ms <= $1 AND seq > 0 ORDER BY at_ms LIMIT $2`+s.dialect.skipLocked+`)`, millis(until), expireEvents)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < expireEvents {
			return total, nil
		}
	}
}

// eraseEvents removes subject, and the traces of its requests, from its events, except from those of its erasures. Events
// without a position keep the hash of the subject until they were delivered.
func eraseEvents(ctx context.Context, tx *sql.Tx, subject string) error {
	_, err := tx.ExecContext(ctx, `UPDATE events SET subject = '', traceparent = NULL, who = CASE WHEN seq = 0 THEN who ELSE '' END
		WHERE subject = $1 AND subject <> '' AND type <> $2`, subject, string(webhook.UserErased))
	if err != nil {
		return fmt.Errorf("remove a user from the events: %w", err)
	}
	return nil
}

// AddKeySetAside writes that an API key was set aside, unless another replica has within the
// last minute.
func (s *DB) AddKeySetAside(ctx context.Context, key, reason string, at time.Time) error {
	e := webhook.New(webhook.KeySetAside, "", at, webhook.Object{KeyName: key, Reason: reason})
	return s.change(ctx, "write that an API key is set aside", func(ctx context.Context, tx *sql.Tx) error {
		if s.dialect.lock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.lock, "API keys"); err != nil {
				return err
			}
		}
		object, err := json.Marshal(e.Object)
		if err != nil {
			return err
		}
		var known bool
		err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE type = $1 AND object = $2 AND at_ms > $3)`,
			string(e.Type), string(object), millis(at.Add(-time.Minute))).Scan(&known)
		if err != nil || known {
			return err
		}
		return s.emit(ctx, tx, e)
	})
}
