package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/budget"
	"casbroker/internal/token"
)

// GrantCalls returns up to limit calls with the token of a grant, the oldest first.
func (s *DB) GrantCalls(ctx context.Context, grantID string, limit int) ([]token.Call, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := queryAll(ctx, s.reader, scanGrantCall, `SELECT `+callColumns+` FROM gateway_calls
		WHERE grant_id <> '' AND grant_id = $1 ORDER BY started_ms, id LIMIT $2`, grantID, limit)
	return list, s.explain(ctx, "read the calls of a grant", err)
}

func scanGrantCall(scan func(...any) error) (token.Call, error) {
	c, err := scanCall(scan)
	return token.Call{
		ID: c.ID, RequestID: c.RequestID, KeyName: c.KeyName, Feature: c.Feature, StartedAt: c.StartedAt, EndedAt: c.EndedAt,
		Sent:    c.Delivery != budget.Open && c.Delivery != budget.NotSent,
		Outcome: c.Outcome, Reason: c.Reason, Credits: c.Used, PortfolioID: c.PortfolioID,
	}, err
}

// GrantRevocation returns the first change of access that revoked g, zero without any.
func (s *DB) GrantRevocation(ctx context.Context, g token.Grant) (token.Revocation, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var r token.Revocation
	var atMS int64
	err := s.reader.QueryRowContext(ctx, `SELECT at_ms, actor FROM access_changes
		WHERE subject IN ('', $4) AND (kind = $1 AND grant_id = $2 OR version > $3 AND `+isRevocation+`)
		ORDER BY version LIMIT 1`, string(access.RevokeGrant), g.ID, g.AccessVersion, g.Subject).Scan(&atMS, &r.Actor)
	if errors.Is(err, sql.ErrNoRows) {
		return token.Revocation{}, nil
	}
	if r.At = instant(atMS); err != nil {
		r.At = time.Time{}
	}
	return r, s.explain(ctx, "read the revocation of a grant", err)
}
