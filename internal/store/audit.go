package store

import (
	"context"
	"database/sql"

	"casbroker/internal/audit"
)

// AppendOrFail adds records to the audit trail by themselves, all or none: they tell
// of what changes nothing.
func (s *DB) AppendOrFail(ctx context.Context, records ...audit.Record) error {
	return s.change(ctx, "append audit records", func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range records {
			if err := holdOf(ctx).append(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Append is AppendOrFail, but where the broker is to go on without its records, it
// tells of the failure and returns none.
func (s *DB) Append(ctx context.Context, records ...audit.Record) error {
	err := s.AppendOrFail(ctx, records...)
	if err == nil || s.lanes.unaudited == nil || ctx.Err() != nil {
		return err
	}
	s.lanes.unaudited(err)
	return nil
}

// record appends r to the audit trail, as part of the change that it tells of.
func (s *DB) record(ctx context.Context, tx *sql.Tx, r audit.Record) error {
	h := holdOf(ctx)
	return h.tolerate(ctx, tx, func() error { return h.append(ctx, tx, r) })
}
