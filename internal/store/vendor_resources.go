package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/gateway"
)

const (
	// otpSessionTTL is how long OTP sessions are stored. At the vendor they last minutes.
	otpSessionTTL = 24 * time.Hour
	// expireOTPSessions is how many old sessions are deleted with each new one.
	expireOTPSessions = 100
)

// ClaimResource stores r. It returns false if it is another user's already, and changes
// nothing then. Together with an OTP session it deletes old ones.
func (s *DB) ClaimResource(ctx context.Context, r gateway.Resource) (bool, error) {
	var owner string
	err := s.change(ctx, "claim a resource of the vendor", func(ctx context.Context, tx *sql.Tx) error {
		if r.Kind == gateway.OTPSession {
			_, err := changeRows(ctx, tx, `DELETE FROM vendor_resources WHERE kind = $1 AND id IN
				(SELECT id FROM vendor_resources WHERE kind = $1 AND created_ms <= $2 ORDER BY created_ms LIMIT $3`+s.dialect.skipLocked+`)`,
				string(r.Kind), millis(r.CreatedAt.Add(-otpSessionTTL)), expireOTPSessions)
			if err != nil {
				return fmt.Errorf("delete old sessions: %w", err)
			}
		}
		var secret []byte
		if r.CallbackSecret != "" {
			secret = s.callbackHash(r.CallbackSecret.Reveal())
		}
		// A new address has no files, so the vendor need not be asked at once.
		_, err := tx.ExecContext(ctx, `INSERT INTO vendor_resources (kind, id, subject, created_ms, asked_ms, secret, key_name)
			VALUES ($1, $2, $3, $4, $4, $5, $6) ON CONFLICT (kind, id) DO NOTHING`,
			string(r.Kind), r.ID, r.Subject, millis(r.CreatedAt), secret, r.KeyName)
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		return tx.QueryRowContext(ctx, `SELECT subject FROM vendor_resources WHERE kind = $1 AND id = $2`, string(r.Kind), r.ID).Scan(&owner)
	})
	return err == nil && owner == r.Subject, err
}

// Resource returns a resource, the zero Resource if it is not known.
func (s *DB) Resource(ctx context.Context, kind gateway.Kind, id string) (gateway.Resource, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	r := gateway.Resource{Kind: kind, ID: id}
	var createdMS int64
	err := s.reader.QueryRowContext(ctx, `SELECT subject, created_ms, key_name FROM vendor_resources WHERE kind = $1 AND id = $2`, string(kind), id).
		Scan(&r.Subject, &createdMS, &r.KeyName)
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.Resource{}, nil
	}
	r.CreatedAt = instant(createdMS)
	return r, s.explain(ctx, "read a resource", err)
}

// Resources returns the resources of subject, the oldest first. With kind "" it returns
// those of all kinds, and its mailboxes.
func (s *DB) Resources(ctx context.Context, subject string, kind gateway.Kind) ([]gateway.Resource, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.resources(ctx, subject, kind)
	return list, s.explain(ctx, "read the resources of a user", err)
}

func (s *DB) resources(ctx context.Context, subject string, kind gateway.Kind) ([]gateway.Resource, error) {
	query, args := `SELECT kind, id, created_ms, key_name FROM vendor_resources WHERE subject = $1 AND kind = $2
		ORDER BY created_ms, id`, []any{subject, string(kind)}
	if kind == "" {
		query = `SELECT kind, id, created_ms, key_name FROM vendor_resources WHERE subject = $1
			UNION ALL SELECT CAST($2 AS TEXT), '', connected_ms, '' FROM mailboxes WHERE subject = $1
			ORDER BY 3, 2`
		args[1] = string(gateway.Mailbox)
	}
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []gateway.Resource
	for rows.Next() {
		r := gateway.Resource{Subject: subject}
		var createdMS int64
		if err := rows.Scan(&r.Kind, &r.ID, &createdMS, &r.KeyName); err != nil {
			return nil, err
		}
		r.CreatedAt = instant(createdMS)
		list = append(list, r)
	}
	return list, rows.Err()
}

// ReleaseResource removes a resource, and the files of an address. It is no error if there
// is none.
func (s *DB) ReleaseResource(ctx context.Context, kind gateway.Kind, id string) error {
	err := s.change(ctx, "release a resource of the vendor", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM vendor_resources WHERE kind = $1 AND id = $2`, string(kind), id)
		return err
	})
	s.truncate(ctx)
	return err
}

// eraseResources deletes what subject has at the vendor.
func eraseResources(ctx context.Context, tx *sql.Tx, subject string) error {
	for _, table := range []string{"vendor_resources", "mailbox_connections", "mailboxes"} {
		if _, err := changeRows(ctx, tx, `DELETE FROM `+table+` WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	return nil
}
