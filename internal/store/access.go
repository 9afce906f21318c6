package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/token"
	"casbroker/internal/webhook"
)

// accessLock orders changes of access: each change holds it exclusively, and each grant
// that is recorded holds it shared, so a grant is entirely before or after a change. It is taken by
// the last statements of a transaction only.
const accessLock = "access"

// isRevocation is the condition that a row of access_changes revokes the tokens of its
// subject, or of all users if its subject is empty.
const isRevocation = `kind IN ('block', 'revoke_user', 'revoke_all')`

// maxTokenAge is longer ago than any active token was issued.
const maxTokenAge = token.MaxTTL + time.Minute

// maxClockSkew is how far the clocks of replicas may differ.
const maxClockSkew = access.Horizon - token.MaxTTL

// ChangeAccess stores c and its audit record, both or neither.
func (s *DB) ChangeAccess(ctx context.Context, c access.Change, r audit.Record) (o access.Outcome, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	for err = errOvertaken; errors.Is(err, errOvertaken); {
		var upstreamMS int64
		o = access.Outcome{}
		err = s.change(ctx, "change access", func(ctx context.Context, tx *sql.Tx) error {
			return s.changeAccess(ctx, tx, c, r, &o, &upstreamMS)
		})
		if upstreamMS != 0 {
			o.UpstreamUntil = instant(upstreamMS)
		}
	}
	if err != nil {
		return access.Outcome{}, err
	}
	return o, nil
}

func (s *DB) changeAccess(ctx context.Context, tx *sql.Tx, c access.Change, r audit.Record, o *access.Outcome, upstreamMS *int64) error {
	o.Change = c
	p, err := s.prepareAccess(ctx, tx, o)
	if err != nil {
		return err
	}
	if p.write && !o.Already {
		if err := s.emitAccess(ctx, tx, o.Change); err != nil {
			return err
		}
	}
	r.Subject = o.Subject
	if o.Already {
		r = r.WithDetail("already")
	}
	if err := s.record(ctx, tx, r); err != nil {
		return err
	}
	last := waitForLock(s.dialect.lock, accessLock)
	last = append(last, upstreamUntil(o, upstreamMS)...)
	if p.write {
		apply, err := s.applyAccess(ctx, tx, &o.Change)
		if err != nil {
			return err
		}
		last = slices.Concat(last, []lastStatement{p.unchanged}, apply)
	}
	return leaseOf(ctx).finish(ctx, tx, append(last, lastStatement{query: `SELECT version FROM access_state`, into: &o.Newest})...)
}

// emitAccess writes the event of a change of access, if it has one.
func (s *DB) emitAccess(ctx context.Context, tx *sql.Tx, c access.Change) error {
	switch c.Kind {
	case access.Block:
		return s.emit(ctx, tx, webhook.New(webhook.UserBlocked, c.Subject, c.At, webhook.Object{}))
	case access.RevokeGrant, access.RevokeUser, access.RevokeAll:
		return s.emit(ctx, tx, webhook.New(webhook.TokenRevoked, c.Subject, c.At, webhook.Object{GrantID: c.GrantID}))
	case access.Unblock:
	}
	return nil
}

// preparedAccess says what is to be done for a change of access.
type preparedAccess struct {
	write bool // the change has to be written
	// unchanged is the condition for that: another replica may make the same change before this one has the
	// lock.
	unchanged lastStatement
}

// prepareAccess completes o with what is stored about its subject or grant.
func (s *DB) prepareAccess(ctx context.Context, tx *sql.Tx, o *access.Outcome) (preparedAccess, error) {
	switch o.Kind {
	case access.Block:
		return s.prepareBlock(ctx, tx, o)
	case access.Unblock:
		return s.prepareUnblock(ctx, tx, o)
	case access.RevokeGrant:
		return prepareRevokeGrant(ctx, tx, o)
	case access.RevokeUser, access.RevokeAll:
		return prepareRevokeMany(ctx, tx, o)
	default:
		return preparedAccess{}, fmt.Errorf("unknown change of access %q", o.Kind)
	}
}

func (s *DB) prepareBlock(ctx context.Context, tx *sql.Tx, o *access.Outcome) (p preparedAccess, err error) {
	found, err := s.readBlock(ctx, tx, o.Subject, o.At)
	if err != nil {
		return p, err
	}
	var version int64
	if found != nil {
		version = found.Version
		if found.Reason == o.Reason && sameEnd(found.Until, o.Until) {
			o.Already = true
			o.Version, o.At, o.Actor = found.Version, found.At, found.Actor
		}
	}
	p.write = !o.Already
	p.unchanged = require(errOvertaken, `NOT EXISTS (SELECT 1 FROM blocks WHERE subject = $2 AND version <> $3 AND `+inForce+`)`, millis(o.At), o.Subject, version)
	return p, nil
}

func (s *DB) prepareUnblock(ctx context.Context, tx *sql.Tx, o *access.Outcome) (p preparedAccess, err error) {
	found, err := s.readBlock(ctx, tx, o.Subject, o.At)
	if err != nil {
		return p, err
	}
	if o.Already = found == nil; o.Already {
		return p, nil
	}
	p.write = true
	p.unchanged = require(errOvertaken, `EXISTS (SELECT 1 FROM blocks WHERE subject = $1 AND version = $2)`, o.Subject, found.Version)
	return p, nil
}

// prepareRevokeGrant writes also for a token that has just expired, since it may still be active by another
// replica's clock.
func prepareRevokeGrant(ctx context.Context, tx *sql.Tx, o *access.Outcome) (p preparedAccess, err error) {
	var mode string
	var expiresMS int64
	var revoked bool
	err = tx.QueryRowContext(ctx, `SELECT subject, mode, expires_ms, `+hasRevocation+` FROM grants g
		WHERE id = $1 AND ($2 = '' OR subject = $2)`, o.GrantID, o.Subject).Scan(&o.Subject, &mode, &expiresMS, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return p, access.ErrNoGrant
	}
	if err != nil {
		return p, fmt.Errorf("find grant: %w", err)
	}
	unexpired := expiresMS > millis(o.At)
	if unexpired && token.Mode(mode) == token.ModeDirect {
		o.UpstreamUntil = instant(expiresMS)
	}
	o.Already = revoked || !unexpired
	p.write = !revoked && expiresMS > millis(o.At.Add(-maxClockSkew))
	p.unchanged = require(errOvertaken, `NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = $1 AND `+hasRevocation+`)`, o.GrantID)
	return p, nil
}

// prepareRevokeMany writes also without an active token: one may be about to be recorded.
func prepareRevokeMany(ctx context.Context, tx *sql.Tx, o *access.Outcome) (p preparedAccess, err error) {
	condition, args := anyActive(o.Subject, o.At)
	var active bool
	if err := tx.QueryRowContext(ctx, `SELECT `+condition, args...).Scan(&active); err != nil {
		return p, fmt.Errorf("look for active tokens: %w", err)
	}
	if o.Already = !active; o.Already {
		condition = `NOT ` + condition
	}
	return preparedAccess{write: true, unchanged: require(errOvertaken, condition, args...)}, nil
}

func sameEnd(a, b time.Time) bool { return optionalMillis(a) == optionalMillis(b) }

// anyActive returns the condition that subject has an active token at now; "" stands for all
// users.
func anyActive(subject string, now time.Time) (condition string, args []any) {
	condition = `EXISTS (SELECT 1 FROM grants g WHERE ` + activeCondition
	args = []any{millis(now), millis(now.Add(-maxTokenAge))}
	if subject != "" {
		condition += ` AND g.subject = $3`
		args = append(args, subject)
	}
	return condition + `)`, args
}

// upstreamUntil returns what finds when the last vendor token concerned expires, 0 if none is
// unexpired.
func upstreamUntil(o *access.Outcome, ms *int64) []lastStatement {
	if o.Kind == access.RevokeGrant || o.Kind == access.Unblock {
		return nil
	}
	query := `SELECT COALESCE(MAX(expires_ms), 0) FROM grants WHERE issued_ms > $1 AND expires_ms > $2 AND mode = $3`
	args := []any{millis(o.At.Add(-maxTokenAge)), millis(o.At), string(token.ModeDirect)}
	if o.Subject != "" {
		query += ` AND subject = $4`
		args = append(args, o.Subject)
	}
	return []lastStatement{{query: query, args: args, into: ms}}
}

// applyAccess returns the statements that write c and set its version.
func (s *DB) applyAccess(ctx context.Context, tx *sql.Tx, c *access.Change) (last []lastStatement, err error) {
	const version = `(SELECT version FROM access_state)`
	reason, sealed := "", []byte(nil)
	if c.Reason != "" { // it is encrypted for a version, which must be the next one then
		var newest int64
		if err := tx.QueryRowContext(ctx, `SELECT version FROM access_state`).Scan(&newest); err != nil {
			return nil, fmt.Errorf("read access version: %w", err)
		}
		reason, sealed = s.sealReason(reasonOfChange(newest+1), c.Reason)
		last = append(last, require(errOvertaken, version+` = $1`, newest))
	}
	last = append(last,
		lastStatement{query: `UPDATE access_state SET version = version + 1 RETURNING version`, into: &c.Version},
		lastStatement{
			query: `INSERT INTO access_changes (version, kind, subject, grant_id, reason, sealed_reason, until_ms, at_ms, actor)
				VALUES (` + version + `, $1, $2, $3, $4, $5, $6, $7, $8)`,
			args: []any{string(c.Kind), c.Subject, c.GrantID, reason, sealed, optionalMillis(c.Until), millis(c.At), c.Actor},
		})
	switch c.Kind {
	case access.Block:
		reason, sealed := s.sealReason(blockData(c.Subject), c.Reason)
		last = append(last, lastStatement{
			query: `INSERT INTO blocks (subject, version, reason, sealed_reason, until_ms, at_ms, actor)
				VALUES ($1, ` + version + `, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO UPDATE SET version = excluded.version,
				reason = excluded.reason, sealed_reason = excluded.sealed_reason, until_ms = excluded.until_ms, at_ms = excluded.at_ms, actor = excluded.actor`,
			args: []any{c.Subject, reason, sealed, optionalMillis(c.Until), millis(c.At), c.Actor},
		})
	case access.Unblock:
		last = append(last, lastStatement{query: `DELETE FROM blocks WHERE subject = $1`, args: []any{c.Subject}})
	case access.RevokeGrant:
		last = append(last, lastStatement{query: `UPDATE grants SET revoked_ms = $1 WHERE id = $2`, args: []any{millis(c.At), c.GrantID}})
	case access.RevokeUser, access.RevokeAll: // the row in access_changes is the revocation
	}
	return last, nil
}

// requireAccess returns the conditions that subject may have a token at now whose mint began at
// version, else access.ErrBlocked or token.ErrRevoked. The latter is also returned if there is no such
// version, as when an older copy of the database was restored. If the conditions are met, no change
// of access comes before the commit.
func (s *DB) requireAccess(subject string, version int64, now time.Time) []lastStatement {
	return append(waitForLock(s.dialect.sharedLock, accessLock),
		require(access.ErrBlocked, `NOT EXISTS (SELECT 1 FROM blocks WHERE subject = $2 AND `+inForce+`)`, millis(now), subject),
		require(token.ErrRevoked, `NOT EXISTS (SELECT 1 FROM access_changes WHERE version > $1 AND subject IN ('', $2) AND `+isRevocation+`)
			AND NOT EXISTS (SELECT 1 FROM access_state WHERE version < $1)`, version, subject))
}
