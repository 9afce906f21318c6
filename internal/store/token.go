package store

import (
	"context"
	"database/sql"
	"fmt"

	"casbroker/internal/audit"
	"casbroker/internal/token"
)

// RecordGrant keeps g and its audit record, both or neither.
func (s *DB) RecordGrant(ctx context.Context, g token.Grant, r audit.Record) error {
	return s.change(ctx, "record grant", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO grants
			(id, subject, mode, issued_ms, expires_ms, vendor_request_id)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			g.ID, g.Subject, string(g.Mode), millis(g.IssuedAt), millis(g.ExpiresAt), g.VendorRequestID)
		if err != nil {
			return fmt.Errorf("insert grant: %w", err)
		}
		return s.record(ctx, tx, r)
	})
}
