package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/token"
)

// wheres collects conditions and their values.
type wheres struct {
	conditions []string
	args       []any
}

// add appends a condition in which each ? stands for the next of values.
func (w *wheres) add(condition string, values ...any) {
	for _, value := range values {
		w.args = append(w.args, value)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

func (w *wheres) String() string {
	if len(w.conditions) == 0 {
		return "1 = 1"
	}
	return strings.Join(w.conditions, " AND ")
}

// standing selects grants with the instants that say how they stand: when one was
// revoked by itself, with all of its subject's, and with everybody's; 0 for never. The
// first mark after a grant is the one that ended it. It takes the condition on grants.
const standing = `SELECT id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version, revoked_ms,
	COALESCE((SELECT at_ms FROM access_changes c WHERE c.subject = g.subject AND c.version > g.access_version
		AND ` + covers + ` ORDER BY c.version LIMIT 1), 0) AS user_ms,
	COALESCE((SELECT at_ms FROM access_changes c WHERE c.subject = '' AND c.version > g.access_version
		AND ` + covers + ` ORDER BY c.version LIMIT 1), 0) AS all_ms
	FROM grants g WHERE %s`

// wasRevoked is the condition that a row of standing was revoked while it lived.
const wasRevoked = `((revoked_ms > 0 AND revoked_ms < expires_ms) OR (user_ms > 0 AND user_ms < expires_ms)
	OR (all_ms > 0 AND all_ms < expires_ms))`

// unrevoked is the condition that a living grant g was not revoked.
const unrevoked = `g.revoked_ms = 0
	AND NOT EXISTS (SELECT 1 FROM access_changes c WHERE c.subject = g.subject AND c.version > g.access_version AND ` + covers + `)
	AND NOT EXISTS (SELECT 1 FROM access_changes c WHERE c.subject = '' AND c.version > g.access_version AND ` + covers + `)`

// FindGrants returns up to limit grants that f wants, newest first, past after.
func (s *DB) FindGrants(ctx context.Context, f token.Filter, after token.Position, limit int, now time.Time) ([]token.Kept, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var on, of wheres
	if f.Subject != "" {
		on.add("g.subject = ?", f.Subject)
	}
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
	of.args = on.args
	switch f.State {
	case token.StateRevoked:
		of.add(wasRevoked)
	case token.StateActive:
		of.add("NOT "+wasRevoked+" AND expires_ms > ?", millis(now))
	case token.StateExpired:
		of.add("NOT "+wasRevoked+" AND expires_ms <= ?", millis(now))
	}
	order := ` ORDER BY issued_ms DESC, id DESC LIMIT ` + strconv.Itoa(limit)
	list, err := s.findGrants(ctx, now, `SELECT * FROM (`+fmt.Sprintf(standing, on.String())+`) x WHERE `+of.String()+order, of.args...)
	return list, s.explain(ctx, "find grants", err)
}

// FindGrant returns one grant as it stands at now, or token.ErrNoGrant.
func (s *DB) FindGrant(ctx context.Context, grantID string, now time.Time) (token.Kept, error) {
	return s.findGrant(ctx, now, "id = $1", grantID)
}

// FindByMark returns the newest grant whose token has mark, as it stands at now, or
// token.ErrNoGrant.
func (s *DB) FindByMark(ctx context.Context, mark []byte, now time.Time) (token.Kept, error) {
	return s.findGrant(ctx, now, "mark = $1 ORDER BY issued_ms DESC, id DESC LIMIT 1", mark)
}

// findGrant reads the first row of standing that meets the condition on one value.
func (s *DB) findGrant(ctx context.Context, now time.Time, condition string, value any) (token.Kept, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := s.findGrants(ctx, now, fmt.Sprintf(standing, condition), value)
	if err == nil && len(list) == 0 {
		err = token.ErrNoGrant
	}
	if err != nil {
		return token.Kept{}, s.explain(ctx, "find grant", err)
	}
	return list[0], nil
}

// findGrants reads rows of standing.
func (s *DB) findGrants(ctx context.Context, now time.Time, query string, args ...any) ([]token.Kept, error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []token.Kept
	for rows.Next() {
		var k token.Kept
		var issuedMS, expiresMS, revokedMS, userMS, allMS int64
		err := rows.Scan(&k.ID, &k.Subject, &k.Mode, &issuedMS, &expiresMS, &k.VendorRequestID, &k.AccessVersion,
			&revokedMS, &userMS, &allMS)
		if err != nil {
			return nil, err
		}
		k.IssuedAt, k.ExpiresAt = instant(issuedMS), instant(expiresMS)
		k.State, k.RevokedAt = stateAt(millis(now), expiresMS, revokedMS, userMS, allMS)
		list = append(list, k)
	}
	return list, rows.Err()
}

// stateAt tells how a grant stands; revoked has the instants of standing.
func stateAt(nowMS, expiresMS int64, revoked ...int64) (token.State, time.Time) {
	first := expiresMS
	for _, ms := range revoked {
		if ms > 0 {
			first = min(first, ms)
		}
	}
	switch {
	case first < expiresMS:
		return token.StateRevoked, instant(first)
	case expiresMS <= nowMS:
		return token.StateExpired, time.Time{}
	default:
		return token.StateActive, time.Time{}
	}
}
