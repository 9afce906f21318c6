package store

import (
	"context"
	"database/sql"
	"fmt"

	"casbroker/internal/audit"
	"casbroker/internal/token"
)

// RecordGrant keeps g and its audit record, both or neither. When a change of access
// outran it, nothing is kept and it returns access.ErrBlocked or token.ErrRevoked.
func (s *DB) RecordGrant(ctx context.Context, g token.Grant, r audit.Record) error {
	return s.change(ctx, "record grant", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.admit(ctx, tx, g.Subject, g.AccessVersion, g.IssuedAt); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO grants
			(id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, mark)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			g.ID, g.Subject, string(g.Mode), millis(g.IssuedAt), millis(g.ExpiresAt), g.VendorRequestID, g.AccessVersion, g.TokenHash)
		if err != nil {
			return fmt.Errorf("insert grant: %w", err)
		}
		return s.record(ctx, tx, r)
	})
}
