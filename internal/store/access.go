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
)

// accessLock orders changes of access: held alone by each of them, and shared by
// those who record grants, so that a grant is wholly before or after a change.
const accessLock = "access"

// covers is the condition under which a row of access_changes ends tokens of its
// subject, or of everybody.
const covers = `kind IN ('block', 'revoke_user', 'revoke_all')`

// liveSpan is more than the time from when a living token was issued.
const liveSpan = token.MaxTTL + time.Minute

// clockGap is how far the clocks of replicas may differ.
const clockGap = access.Horizon - token.MaxTTL

// ChangeAccess makes c and its audit record durable, both or neither.
func (s *DB) ChangeAccess(ctx context.Context, c access.Change, r audit.Record) (access.Outcome, error) {
	var o access.Outcome
	err := s.change(ctx, "change access", func(ctx context.Context, tx *sql.Tx) error {
		if err := take(ctx, tx, s.dialect.lock); err != nil {
			return err
		}
		o = access.Outcome{Change: c}
		write, err := prepareAccess(ctx, tx, &o)
		if err != nil {
			return err
		}
		if write {
			if err := applyAccess(ctx, tx, &o.Change); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT version FROM access_state`).Scan(&o.Newest); err != nil {
			return fmt.Errorf("read access version: %w", err)
		}
		r.Subject = o.Subject
		if o.Already {
			r = r.Saying("already")
		}
		return s.record(ctx, tx, r)
	})
	if err != nil {
		return access.Outcome{}, err
	}
	return o, nil
}

// take asks for the lock on access, in a dialect that has one.
func take(ctx context.Context, tx *sql.Tx, lock string) error {
	if lock == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, lock, accessLock); err != nil {
		return fmt.Errorf("lock access: %w", err)
	}
	return nil
}

// prepareAccess finds out what o is about, and whether it is to be written.
func prepareAccess(ctx context.Context, tx *sql.Tx, o *access.Outcome) (write bool, err error) {
	switch o.Kind {
	case access.RevokeGrant:
		return findGrantToRevoke(ctx, tx, o)
	case access.Unblock:
		found, err := readBarrier(ctx, tx, o.Subject, o.At)
		o.Already = found == nil
		return !o.Already, err
	case access.Block:
		found, err := readBarrier(ctx, tx, o.Subject, o.At)
		if err != nil {
			return false, err
		}
		if found != nil && found.Reason == o.Reason && sameEnd(found.Until, o.Until) {
			o.Already = true
			o.Version, o.At, o.Actor = found.Version, found.At, found.Actor
		}
		write = !o.Already
	case access.RevokeUser, access.RevokeAll:
		counts, err := anyCounts(ctx, tx, o.Subject, o.At)
		if err != nil {
			return false, err
		}
		o.Already = !counts
		write = true // even where no token counts: one may be on its way
	}
	o.UpstreamUntil, err = upstreamUntil(ctx, tx, o.Subject, o.At)
	return write, err
}

func sameEnd(a, b time.Time) bool { return untilMS(a) == untilMS(b) }

// untilMS is how the end of a block stands in a column: 0 for none.
func untilMS(until time.Time) int64 {
	if until.IsZero() {
		return 0
	}
	return millis(until)
}

// endOf is the reverse of untilMS.
func endOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return instant(ms)
}

// findGrantToRevoke completes o with what is known of its grant, and tells whether o is
// to be written: also when the token has just expired, for by another replica's clock it
// may live.
func findGrantToRevoke(ctx context.Context, tx *sql.Tx, o *access.Outcome) (write bool, err error) {
	var subject, mode string
	var expiresMS, version, revokedMS int64
	err = tx.QueryRowContext(ctx, `SELECT subject, mode, expires_ms, access_version, revoked_ms FROM grants
		WHERE id = $1 AND ($2 = '' OR subject = $2)`, o.GrantID, o.Subject).
		Scan(&subject, &mode, &expiresMS, &version, &revokedMS)
	if errors.Is(err, sql.ErrNoRows) {
		return false, access.ErrNoGrant
	}
	if err != nil {
		return false, fmt.Errorf("find grant: %w", err)
	}
	o.Subject = subject
	living := expiresMS > millis(o.At)
	if living && token.Mode(mode) == token.ModeDirect {
		o.UpstreamUntil = instant(expiresMS)
	}
	newest, err := newestMark(ctx, tx, subject)
	revoked := revokedMS > 0 || version < newest
	o.Already = revoked || !living
	return !revoked && expiresMS > millis(o.At.Add(-clockGap)), err
}

// newestMark returns the version of the newest revocation of all that subject had.
func newestMark(ctx context.Context, tx *sql.Tx, subject string) (version int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM access_changes
		WHERE subject IN ('', $1) AND `+covers, subject).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("find newest revocation: %w", err)
	}
	return version, nil
}

// anyCounts reports whether a token of subject, or of anybody if "", counts at now.
func anyCounts(ctx context.Context, tx *sql.Tx, subject string, now time.Time) (counts bool, err error) {
	query := `SELECT EXISTS (SELECT 1 FROM grants g WHERE issued_ms > $1 AND expires_ms > $2 AND ` + unrevoked
	args := []any{millis(now.Add(-liveSpan)), millis(now)}
	if subject != "" {
		query += ` AND g.subject = $3`
		args = append(args, subject)
	}
	if err := tx.QueryRowContext(ctx, query+`)`, args...).Scan(&counts); err != nil {
		return false, fmt.Errorf("look for tokens that count: %w", err)
	}
	return counts, nil
}

// upstreamUntil returns when the last of the vendor's tokens of subject, or of
// everybody if "", expires; zero when none is alive at now.
func upstreamUntil(ctx context.Context, tx *sql.Tx, subject string, now time.Time) (time.Time, error) {
	query := `SELECT COALESCE(MAX(expires_ms), 0) FROM grants WHERE issued_ms > $1 AND expires_ms > $2 AND mode = $3`
	args := []any{millis(now.Add(-liveSpan)), millis(now), string(token.ModeDirect)}
	if subject != "" {
		query += ` AND subject = $4`
		args = append(args, subject)
	}
	var ms int64
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&ms); err != nil {
		return time.Time{}, fmt.Errorf("find the last token at the vendor: %w", err)
	}
	return endOf(ms), nil
}

// applyAccess gives c its version and writes it.
func applyAccess(ctx context.Context, tx *sql.Tx, c *access.Change) error {
	err := tx.QueryRowContext(ctx, `UPDATE access_state SET version = version + 1 RETURNING version`).Scan(&c.Version)
	if err != nil {
		return fmt.Errorf("raise access version: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.Version, string(c.Kind), c.Subject, c.GrantID, c.Reason, untilMS(c.Until), millis(c.At), c.Actor)
	if err != nil {
		return fmt.Errorf("insert change of access: %w", err)
	}
	switch c.Kind {
	case access.Block:
		_, err = tx.ExecContext(ctx, `INSERT INTO blocks (subject, version, reason, until_ms, at_ms, actor)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO UPDATE SET version = excluded.version,
			reason = excluded.reason, until_ms = excluded.until_ms, at_ms = excluded.at_ms, actor = excluded.actor`,
			c.Subject, c.Version, c.Reason, untilMS(c.Until), millis(c.At), c.Actor)
	case access.Unblock:
		_, err = tx.ExecContext(ctx, `DELETE FROM blocks WHERE subject = $1`, c.Subject)
	case access.RevokeGrant:
		_, err = tx.ExecContext(ctx, `UPDATE grants SET revoked_ms = $1 WHERE id = $2`, millis(c.At), c.GrantID)
	case access.RevokeUser, access.RevokeAll: // the row is the mark
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Kind, err)
	}
	return nil
}

// admit fails when subject is blocked at now, with access.ErrBlocked, or was revoked
// after version, with token.ErrRevoked; also when there is no such version, for an older
// copy of the database was put back then. Until the transaction ends, none of it changes.
func (s *DB) admit(ctx context.Context, tx *sql.Tx, subject string, version int64, now time.Time) error {
	if err := take(ctx, tx, s.dialect.share); err != nil {
		return err
	}
	var blocked, revoked bool
	err := tx.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT 1 FROM blocks WHERE subject = $1 AND (until_ms = 0 OR until_ms > $2)),
		EXISTS (SELECT 1 FROM access_changes WHERE version > $3 AND subject IN ('', $1) AND `+covers+`)
			OR EXISTS (SELECT 1 FROM access_state WHERE version < $3)`,
		subject, millis(now), version).Scan(&blocked, &revoked)
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
