package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/token"
)

// RecordGrant stores g and its audit record, both or neither. If access was changed since
// g.AccessVersion, it stores nothing and returns access.ErrBlocked or token.ErrRevoked.
func (s *DB) RecordGrant(ctx context.Context, g token.Grant, r audit.Record) error {
	return s.change(ctx, "record grant", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO grants
			(id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, mark)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			g.ID, g.Subject, string(g.Mode), millis(g.IssuedAt), millis(g.ExpiresAt), g.VendorRequestID, g.AccessVersion, g.TokenHash)
		if err != nil {
			return fmt.Errorf("insert grant: %w", err)
		}
		if err := s.record(ctx, tx, r); err != nil {
			return err
		}
		return leaseOf(ctx).finish(ctx, tx, s.requireAccess(g.Subject, g.AccessVersion, g.IssuedAt)...)
	})
}

// selectGrants selects grants g for findGrants, with the instants at which each was
// revoked: by itself, with all grants of its user, and with those of all users.
const selectGrants = `SELECT g.id, g.subject, g.mode, g.issued_ms, g.expires_ms, g.vendor_request_id, g.access_version,
	g.revoked_ms, ` + userRevokedMS + `, ` + allRevokedMS + ` FROM grants g`

// FindGrants returns up to limit grants that match f, newest first, after the given
// position.
func (s *DB) FindGrants(ctx context.Context, f token.Filter, after token.Cursor, limit int, now time.Time) ([]token.GrantInfo, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if f.State == token.StateRevoked && f.Subject == "" {
		list, err := s.findRevoked(ctx, f, after, limit, now)
		return list, s.explain(ctx, "find revoked grants", err)
	}
	where := grantConditions(f, after, now)
	query := selectGrants + where.text() + newestGrants + where.number(" LIMIT ?", limit)
	list, err := s.findGrants(ctx, now, query, where.args...)
	return list, s.explain(ctx, "find grants", err)
}

// newestGrants is the order of lists of grants. With sortedGrants, no index is used for the same order.
const (
	newestGrants = ` ORDER BY g.issued_ms DESC, g.id DESC`
	sortedGrants = ` ORDER BY +g.issued_ms DESC, g.id DESC`
)

// grantConditions are the conditions that grant g matches f and comes after the given position.
func grantConditions(f token.Filter, after token.Cursor, now time.Time) (where conditions) {
	where.equal("g.subject", f.Subject)
	if !f.From.IsZero() {
		where.add("g.issued_ms >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		where.add("g.issued_ms < ?", millis(f.To))
	}
	if after.ID != "" {
		where.add("(g.issued_ms, g.id) < (?, ?)", millis(after.IssuedAt), after.ID)
	}
	if f.State == token.StateActive { // lets the index skip older grants, none of which is active
		where.add("g.issued_ms > ?", millis(now.Add(-maxTokenAge)))
	}
	if f.State != "" {
		where.add(stateCondition(f.State, where.number("?", millis(now))))
	}
	return where
}

// FindGrant returns one grant with its state at now, or token.ErrNoGrant.
func (s *DB) FindGrant(ctx context.Context, grantID string, now time.Time) (token.GrantInfo, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.findGrants(ctx, now, selectGrants+" WHERE g.id = $1", grantID)
	if err == nil && len(list) == 0 {
		err = token.ErrNoGrant
	}
	if err != nil {
		return token.GrantInfo{}, s.explain(ctx, "find grant", err)
	}
	return list[0], nil
}

// FindByTokenHash returns the grants whose token has this hash, newest first, with their
// state at now. It leaves out those that have expired by every replica's clock.
func (s *DB) FindByTokenHash(ctx context.Context, hash []byte, now time.Time) ([]token.GrantInfo, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	query := selectGrants + " WHERE g.mark = $1 AND g.expires_ms > $2 ORDER BY g.issued_ms DESC, g.id DESC"
	list, err := s.findGrants(ctx, now, query, hash, millis(now.Add(-maxClockSkew)))
	return list, s.explain(ctx, "find grants by token hash", err)
}

// findGrants runs query, which must begin with selectGrants.
func (s *DB) findGrants(ctx context.Context, now time.Time, query string, args ...any) ([]token.GrantInfo, error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []token.GrantInfo
	for rows.Next() {
		var k token.GrantInfo
		var issuedMS, expiresMS, revokedMS, userMS, allMS int64
		err := rows.Scan(&k.ID, &k.Subject, &k.Mode, &issuedMS, &expiresMS, &k.VendorRequestID, &k.AccessVersion,
			&revokedMS, &userMS, &allMS)
		if err != nil {
			return nil, err
		}
		k.IssuedAt, k.ExpiresAt = instant(issuedMS), instant(expiresMS)
		k.State, k.RevokedAt = k.StateAt(now, optionalInstant(revokedMS), optionalInstant(userMS), optionalInstant(allMS))
		list = append(list, k)
	}
	return list, rows.Err()
}
