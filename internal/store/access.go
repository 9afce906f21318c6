package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/token"
	"casbroker/internal/webhook"
)

// accessLock orders changes of access: each change holds it exclusively, and each grant
// that is recorded holds it shared, so a grant is entirely before or after a change.
const accessLock = "access"

// isRevocation is the condition that a row of access_changes revokes the tokens of its
// subject, or of all users if its subject is empty.
const isRevocation = `kind IN ('block', 'revoke_user', 'revoke_all')`

// maxTokenAge is longer ago than any active token was issued.
const maxTokenAge = token.MaxTTL + time.Minute

// maxClockSkew is how far the clocks of replicas may differ.
const maxClockSkew = access.Horizon - token.MaxTTL

// ChangeAccess stores c and its audit record, both or neither.
func (s *DB) ChangeAccess(ctx context.Context, c access.Change, r audit.Record) (access.Outcome, error) {
	var o access.Outcome
	err := s.change(ctx, "change access", func(ctx context.Context, tx *sql.Tx) error {
		if err := lockAccess(ctx, tx, s.dialect.lock); err != nil {
			return err
		}
		o = access.Outcome{Change: c}
		write, err := s.prepareAccess(ctx, tx, &o)
		if err != nil {
			return err
		}
		if write {
			if err := s.applyAccess(ctx, tx, &o.Change); err != nil {
				return err
			}
		}
		if write && !o.Already {
			if err := s.emitAccess(ctx, tx, o.Change); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT version FROM access_state`).Scan(&o.Newest); err != nil {
			return fmt.Errorf("read access version: %w", err)
		}
		r.Subject = o.Subject
		if o.Already {
			r = r.WithDetail("already")
		}
		return s.record(ctx, tx, r)
	})
	if err != nil {
		return access.Outcome{}, err
	}
	return o, nil
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

// lockAccess takes accessLock with the statement lock, unless that is "".
func lockAccess(ctx context.Context, tx *sql.Tx, lock string) error {
	if lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, lock, accessLock); err != nil {
		return fmt.Errorf("lock access: %w", err)
	}
	return nil
}

// prepareAccess completes o with what is stored about its subject or grant, and reports
// whether the change has to be written.
func (s *DB) prepareAccess(ctx context.Context, tx *sql.Tx, o *access.Outcome) (write bool, err error) {
	switch o.Kind {
	case access.RevokeGrant:
		return findGrantToRevoke(ctx, tx, o)
	case access.Unblock:
		found, err := s.readBlock(ctx, tx, o.Subject, o.At)
		o.Already = found == nil
		return !o.Already, err
	case access.Block:
		found, err := s.readBlock(ctx, tx, o.Subject, o.At)
		if err != nil {
			return false, err
		}
		if found != nil && found.Reason == o.Reason && sameEnd(found.Until, o.Until) {
			o.Already = true
			o.Version, o.At, o.Actor = found.Version, found.At, found.Actor
		}
		write = !o.Already
	case access.RevokeUser, access.RevokeAll:
		active, err := anyActive(ctx, tx, o.Subject, o.At)
		if err != nil {
			return false, err
		}
		o.Already = !active
		write = true // even without an active token: one may be about to be recorded
	}
	o.UpstreamUntil, err = upstreamUntil(ctx, tx, o.Subject, o.At)
	return write, err
}

func sameEnd(a, b time.Time) bool { return optionalMillis(a) == optionalMillis(b) }

// findGrantToRevoke completes o with what is stored about its grant, and reports whether o
// has to be written. That includes a token that has just expired, since it may still be
// active by another replica's clock.
func findGrantToRevoke(ctx context.Context, tx *sql.Tx, o *access.Outcome) (write bool, err error) {
	var mode string
	var expiresMS int64
	var revoked bool
	err = tx.QueryRowContext(ctx, `SELECT subject, mode, expires_ms, `+hasRevocation+` FROM grants g
		WHERE id = $1 AND ($2 = '' OR subject = $2)`, o.GrantID, o.Subject).Scan(&o.Subject, &mode, &expiresMS, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return false, access.ErrNoGrant
	}
	if err != nil {
		return false, fmt.Errorf("find grant: %w", err)
	}
	unexpired := expiresMS > millis(o.At)
	if unexpired && token.Mode(mode) == token.ModeDirect {
		o.UpstreamUntil = instant(expiresMS)
	}
	o.Already = revoked || !unexpired
	return !revoked && expiresMS > millis(o.At.Add(-maxClockSkew)), nil
}

// anyActive reports whether subject has an active token at now; "" stands for all users.
func anyActive(ctx context.Context, tx *sql.Tx, subject string, now time.Time) (active bool, err error) {
	query := `SELECT EXISTS (SELECT 1 FROM grants g WHERE ` + activeCondition
	args := []any{millis(now), millis(now.Add(-maxTokenAge))}
	if subject != "" {
		query += ` AND g.subject = $3`
		args = append(args, subject)
	}
	if err := tx.QueryRowContext(ctx, query+`)`, args...).Scan(&active); err != nil {
		return false, fmt.Errorf("look for active tokens: %w", err)
	}
	return active, nil
}

// upstreamUntil returns when the last vendor token of subject expires, or of all users
// if subject is "". It returns the zero time if none is unexpired at now.
func upstreamUntil(ctx context.Context, tx *sql.Tx, subject string, now time.Time) (time.Time, error) {
	query := `SELECT COALESCE(MAX(expires_ms), 0) FROM grants WHERE issued_ms > $1 AND expires_ms > $2 AND mode = $3`
	args := []any{millis(now.Add(-maxTokenAge)), millis(now), string(token.ModeDirect)}
	if subject != "" {
		query += ` AND subject = $4`
		args = append(args, subject)
	}
	var ms int64
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&ms); err != nil {
		return time.Time{}, fmt.Errorf("find the last token at the vendor: %w", err)
	}
	return optionalInstant(ms), nil
}

// applyAccess sets the version of c and writes it.
func (s *DB) applyAccess(ctx context.Context, tx *sql.Tx, c *access.Change) error {
	err := tx.QueryRowContext(ctx, `UPDATE access_state SET version = version + 1 RETURNING version`).Scan(&c.Version)
	if err != nil {
		return fmt.Errorf("raise access version: %w", err)
	}
	reason, sealed := s.sealReason(reasonOfChange(c.Version), c.Reason)
	_, err = tx.ExecContext(ctx, `INSERT INTO access_changes (version, kind, subject, grant_id, reason, sealed_reason, until_ms, at_ms, actor)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		c.Version, string(c.Kind), c.Subject, c.GrantID, reason, sealed, optionalMillis(c.Until), millis(c.At), c.Actor)
	if err != nil {
		return fmt.Errorf("insert change of access: %w", err)
	}
	switch c.Kind {
	case access.Block:
		reason, sealed := s.sealReason(blockData(c.Subject), c.Reason)
		_, err = tx.ExecContext(ctx, `INSERT INTO blocks (subject, version, reason, sealed_reason, until_ms, at_ms, actor)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subject) DO UPDATE SET version = excluded.version,
			reason = excluded.reason, sealed_reason = excluded.sealed_reason, until_ms = excluded.until_ms, at_ms = excluded.at_ms, actor = excluded.actor`,
			c.Subject, c.Version, reason, sealed, optionalMillis(c.Until), millis(c.At), c.Actor)
	case access.Unblock:
		_, err = tx.ExecContext(ctx, `DELETE FROM blocks WHERE subject = $1`, c.Subject)
	case access.RevokeGrant:
		_, err = tx.ExecContext(ctx, `UPDATE grants SET revoked_ms = $1 WHERE id = $2`, millis(c.At), c.GrantID)
	case access.RevokeUser, access.RevokeAll: // the row in access_changes is the revocation
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Kind, err)
	}
	return nil
}

// checkAccess returns access.ErrBlocked if subject is blocked at now, and token.ErrRevoked
// if its tokens were revoked after version or if there is no such version, as when an
// older copy of the database was restored. The answer holds until the transaction ends.
func (s *DB) checkAccess(ctx context.Context, tx *sql.Tx, subject string, version int64, now time.Time) error {
	if err := lockAccess(ctx, tx, s.dialect.sharedLock); err != nil {
		return err
	}
	var blocked, revoked bool
	err := tx.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT 1 FROM blocks WHERE subject = $2 AND `+inForce+`),
		EXISTS (SELECT 1 FROM access_changes WHERE version > $3 AND subject IN ('', $2) AND `+isRevocation+`)
			OR EXISTS (SELECT 1 FROM access_state WHERE version < $3)`,
		millis(now), subject, version).Scan(&blocked, &revoked)
	switch {
	case err != nil:
		return fmt.Errorf("check access: %w", err)
	case blocked:
		return access.ErrBlocked
	case revoked:
		return token.ErrRevoked
	}
	return nil
}
