package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/audit"
	"casbroker/internal/gateway"
	"casbroker/internal/secret"
)

// connectionTarget is the sealed part of a connection.
type connectionTarget struct {
	RedirectURI string `json:"redirect_uri"`
	State       string `json:"state"`
}

// BeginConnection stores c, which EndConnection finds by state, and deletes the
// connections that have expired.
func (s *DB) BeginConnection(ctx context.Context, state string, c gateway.Connection, now time.Time) error {
	plain, err := json.Marshal(connectionTarget{c.RedirectURI, c.State})
	if err != nil {
		return fmt.Errorf("encode a connection: %w", err)
	}
	key := s.stateHash(state)
	return s.change(ctx, "begin the connection of a mailbox", func(ctx context.Context, tx *sql.Tx) error {
		_, err := changeRows(ctx, tx, `DELETE FROM mailbox_connections WHERE state IN
			(SELECT state FROM mailbox_connections WHERE expires_ms <= $1`+s.dialect.skipLocked+`)`, millis(now))
		if err != nil {
			return fmt.Errorf("delete expired connections: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO mailbox_connections (state, subject, sealed, expires_ms, key_name) VALUES ($1, $2, $3, $4, $5)`,
			key, c.Subject, s.box.Seal(connectionData(key), plain), millis(c.ExpiresAt), c.KeyName)
		return err
	})
}

// EndConnection removes the connection with state and returns it. If token is not "", it
// stores the mailbox with it and an audit record, all or nothing. Of concurrent callers one
// gets the connection. The others get gateway.ErrNoConnection, as for one that has expired.
func (s *DB) EndConnection(ctx context.Context, state, handle string, token secret.Text, now time.Time) (gateway.Connection, error) {
	var c gateway.Connection
	key, handleKey := s.stateHash(state), s.handleHash(handle)
	r := audit.New(ctx, now, "", audit.MailboxConnect, "", "")
	// Callers are not authenticated, and must not wait for the writer without need.
	if err := s.findConnection(ctx, key); err != nil {
		return c, err
	}
	err := s.change(ctx, "end the connection of a mailbox", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		var expiresMS int64
		err := tx.QueryRowContext(ctx, `DELETE FROM mailbox_connections WHERE state = $1 RETURNING subject, sealed, expires_ms, key_name`, key).
			Scan(&c.Subject, &sealed, &expiresMS, &c.KeyName)
		if errors.Is(err, sql.ErrNoRows) || err == nil && expiresMS <= millis(now) {
			return gateway.ErrNoConnection
		}
		if err != nil {
			return fmt.Errorf("delete connection: %w", err)
		}
		c.ExpiresAt = instant(expiresMS)
		if err := s.openConnection(&c, key, sealed); err != nil {
			return err
		}
		if token == "" {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO mailboxes (handle, subject, sealed, connected_ms, key_name) VALUES ($1, $2, $3, $4, $5)`,
			handleKey, c.Subject, s.box.Seal(mailboxData(handleKey), []byte(token.Reveal())), millis(now), c.KeyName)
		if err != nil {
			return fmt.Errorf("insert mailbox: %w", err)
		}
		r.Actor, r.Subject = c.Subject, c.Subject
		return s.record(ctx, tx, r)
	})
	return c, err
}

// findConnection returns gateway.ErrNoConnection if there is no connection with this key.
func (s *DB) findConnection(ctx context.Context, key []byte) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var found int
	err := s.reader.QueryRowContext(ctx, `SELECT 1 FROM mailbox_connections WHERE state = $1`, key).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.ErrNoConnection
	}
	return s.explain(ctx, "read a connection of a mailbox", err)
}

func (s *DB) openConnection(c *gateway.Connection, key, sealed []byte) error {
	plain, err := s.box.Open(connectionData(key), sealed)
	if err != nil {
		return fmt.Errorf("decrypt a connection: %w", err)
	}
	var target connectionTarget
	if err := json.Unmarshal(plain, &target); err != nil {
		return fmt.Errorf("decode a connection: %w", err)
	}
	c.RedirectURI, c.State = target.RedirectURI, target.State
	return nil
}

// Mailbox returns the mailbox of handle, the zero ConnectedMailbox if there is none.
func (s *DB) Mailbox(ctx context.Context, handle string) (gateway.ConnectedMailbox, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var m gateway.ConnectedMailbox
	var sealed []byte
	key := s.handleHash(handle)
	err := s.reader.QueryRowContext(ctx, `SELECT subject, sealed, key_name FROM mailboxes WHERE handle = $1`, key).Scan(&m.Subject, &sealed, &m.KeyName)
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.ConnectedMailbox{}, nil
	}
	if err != nil {
		return gateway.ConnectedMailbox{}, s.explain(ctx, "read a mailbox", err)
	}
	plain, err := s.box.Open(mailboxData(key), sealed)
	if err != nil {
		return gateway.ConnectedMailbox{}, fmt.Errorf("decrypt a mailbox: %w", err)
	}
	m.Token = secret.Text(plain)
	return m, nil
}

// DeleteMailbox removes the mailbox of handle and stores r, both or neither. It does
// nothing if there is no such mailbox.
func (s *DB) DeleteMailbox(ctx context.Context, handle string, r audit.Record) error {
	err := s.change(ctx, "delete a mailbox", func(ctx context.Context, tx *sql.Tx) error {
		n, err := changeRows(ctx, tx, `DELETE FROM mailboxes WHERE handle = $1`, s.handleHash(handle))
		if err != nil || n == 0 {
			return err
		}
		return s.record(ctx, tx, r)
	})
	s.truncate(ctx)
	return err
}

func (s *DB) stateHash(state string) []byte   { return s.box.Digest("mailbox state", []byte(state)) }
func (s *DB) handleHash(handle string) []byte { return s.box.Digest("mailbox handle", []byte(handle)) }

// connectionData returns the associated data of a connection.
func connectionData(key []byte) string { return "mailbox_connections/" + hex.EncodeToString(key) }

// mailboxData returns the associated data of a mailbox.
func mailboxData(key []byte) string { return "mailboxes/" + hex.EncodeToString(key) }
