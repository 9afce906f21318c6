package store

import (
	"context"
	"fmt"
	"time"

	"casbroker/internal/token"
)

// standing selects grants with the instants that say how they stand: when one was
// revoked by itself, with all of its subject's, and with everybody's; 0 for never. The
// first mark after a grant is the one that ended it. It takes the WHERE clause on grants.
const standing = `SELECT id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, revoked_ms,
	COALESCE((SELECT at_ms FROM access_changes c WHERE c.subject = g.subject AND c.version > g.access_version
		AND ` + covers + ` ORDER BY c.version LIMIT 1), 0) AS user_ms,
	COALESCE((SELECT at_ms FROM access_changes c WHERE c.subject = '' AND c.version > g.access_version
		AND ` + covers + ` ORDER BY c.version LIMIT 1), 0) AS all_ms
	FROM grants g%s`

// The clock that dated a mark may be ahead of the one that asks. So a token that still
// lives was revoked when there is a mark at all, whatever its instant. Once the token has
// expired, the instant alone tells a mark that ended it from one that came too late.
const (
	// marked is the condition that something revoked a row of standing.
	marked = `(revoked_ms + user_ms + all_ms > 0)`
	// endedEarly is the condition that it was revoked before it expired.
	endedEarly = `((revoked_ms > 0 AND revoked_ms < expires_ms) OR (user_ms > 0 AND user_ms < expires_ms)
	OR (all_ms > 0 AND all_ms < expires_ms))`
)

// unrevoked is the condition that a living grant g was not revoked.
const unrevoked = `g.revoked_ms = 0
	AND NOT EXISTS (SELECT 1 FROM access_changes c WHERE c.subject = g.subject AND c.version > g.access_version AND ` + covers + `)
	AND NOT EXISTS (SELECT 1 FROM access_changes c WHERE c.subject = '' AND c.version > g.access_version AND ` + covers + `)`

// FindGrants returns up to limit grants that f wants, newest first, past after.
func (s *DB) FindGrants(ctx context.Context, f token.Filter, after token.Cursor, limit int, now time.Time) ([]token.GrantInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	query, args := grantsQuery(f, after, limit, now)
	list, err := s.findGrants(ctx, now, query, args...)
	return list, s.explain(ctx, "find grants", err)
}

func grantsQuery(f token.Filter, after token.Cursor, limit int, now time.Time) (query string, args []any) {
	var on conditions
	on.equal("g.subject", f.Subject)
	if !f.From.IsZero() {
		on.add("g.issued_ms >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		on.add("g.issued_ms < ?", millis(f.To))
	}
	if after.ID != "" {
		on.add("(g.issued_ms, g.id) < (?, ?)", millis(after.IssuedAt), after.ID)
	}
	if f.State == token.StateActive { // no living token is older, so the rest need not be looked at
		on.add("g.issued_ms > ?", millis(now.Add(-liveSpan)))
	}
	of := conditions{args: on.args}
	switch f.State {
	case token.StateRevoked:
		of.add("("+endedEarly+" OR "+marked+" AND expires_ms > ?)", millis(now))
	case token.StateActive:
		of.add("NOT "+marked+" AND expires_ms > ?", millis(now))
	case token.StateExpired:
		of.add("NOT "+endedEarly+" AND expires_ms <= ?", millis(now))
	}
	query = `SELECT * FROM (` + fmt.Sprintf(standing, on.text()) + `) x` + of.text() +
		` ORDER BY issued_ms DESC, id DESC` + of.number(" LIMIT ?", limit)
	return query, of.args
}

// FindGrant returns one grant as it stands at now, or token.ErrNoGrant.
func (s *DB) FindGrant(ctx context.Context, grantID string, now time.Time) (token.GrantInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := s.findGrants(ctx, now, fmt.Sprintf(standing, " WHERE id = $1"), grantID)
	if err == nil && len(list) == 0 {
		err = token.ErrNoGrant
	}
	if err != nil {
		return token.GrantInfo{}, s.explain(ctx, "find grant", err)
	}
	return list[0], nil
}

// FindByTokenHash returns the grants whose token has mark as they stand at now, newest first,
// but for those that have expired by every replica's clock.
func (s *DB) FindByTokenHash(ctx context.Context, mark []byte, now time.Time) ([]token.GrantInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	query := fmt.Sprintf(standing, " WHERE mark = $1 AND expires_ms > $2 ORDER BY issued_ms DESC, id DESC")
	list, err := s.findGrants(ctx, now, query, mark, millis(now.Add(-clockGap)))
	return list, s.explain(ctx, "find grants by their mark", err)
}

// findGrants reads rows of standing.
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
		k.State, k.RevokedAt = k.StateAt(now, endOf(revokedMS), endOf(userMS), endOf(allMS))
		list = append(list, k)
	}
	return list, rows.Err()
}
