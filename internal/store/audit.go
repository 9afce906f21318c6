package store

import (
	"context"
	"database/sql"
	"fmt"

	"casbroker/internal/audit"
)

// record appends r to the audit trail, as part of the change that it tells of.
func (s *DB) record(ctx context.Context, tx *sql.Tx, r audit.Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit
		(id, at_ms, actor, action, subject, object, request_id, address, user_agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.ID, millis(r.At), r.Actor, string(r.Action), r.Subject, r.Object, r.RequestID, r.Address, r.UserAgent)
	if err != nil {
		return fmt.Errorf("append audit record: %w", err)
	}
	return nil
}
