package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/privacy"
	"casbroker/internal/token"
	"casbroker/internal/webhook"
)

// Trail reads up to limit audit records about subject, oldest first, after the given
// record; the zero Record is before the oldest.
func (s *DB) Trail(ctx context.Context, subject string, after audit.Record, limit int) ([]audit.Record, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.trail(ctx, subject, after, limit)
	return list, s.explain(ctx, "read audit trail", err)
}

func (s *DB) trail(ctx context.Context, subject string, after audit.Record, limit int) ([]audit.Record, error) {
	entries, err := s.entries(ctx, `SELECT `+entryColumns+` FROM audit
		WHERE subject = $1 AND (at_ms, id) > ($2, $3) ORDER BY at_ms, id LIMIT $4`,
		subject, millis(after.At), after.ID, limit)
	list := make([]audit.Record, len(entries))
	for i, e := range entries {
		list[i] = e.Record
	}
	return list, err
}

// Grants reads up to limit grants of subject, oldest first, after the given grant; the
// zero Grant is before the oldest.
func (s *DB) Grants(ctx context.Context, subject string, after token.Grant, limit int) ([]token.Grant, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := s.grants(ctx, subject, after, limit)
	return list, s.explain(ctx, "read grants", err)
}

func (s *DB) grants(ctx context.Context, subject string, after token.Grant, limit int) ([]token.Grant, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, subject, mode, issued_ms, expires_ms, vendor_request_id
		FROM grants WHERE subject = $1 AND (issued_ms, id) > ($2, $3) ORDER BY issued_ms, id LIMIT $4`,
		subject, millis(after.IssuedAt), after.ID, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []token.Grant
	for rows.Next() {
		var g token.Grant
		var issuedMS, expiresMS int64
		if err := rows.Scan(&g.ID, &g.Subject, &g.Mode, &issuedMS, &expiresMS, &g.VendorRequestID); err != nil {
			return nil, err
		}
		g.IssuedAt, g.ExpiresAt = instant(issuedMS), instant(expiresMS)
		list = append(list, g)
	}
	return list, rows.Err()
}

// Erase deletes the data of subject: portfolios with their holdings, transactions and
// payloads, captures, the answers stored for Idempotency-Keys, jobs, the consent to parse mail
// with its password, hosted links, grants, and what it has at the vendor through the gateway. Its tokens are revoked. Its calls, their totals and its events stay
// without the subject. The audit trail stays, without the addresses of the subject's own requests,
// and r is appended to it, all or nothing. Changes of access stay without their reasons. A
// block that is in force at r.At stays with its reason. A concurrent save is entirely before
// the erasure, and erased, or entirely after it.
func (s *DB) Erase(ctx context.Context, subject string, r audit.Record) (privacy.EraseResult, error) {
	var erased privacy.EraseResult
	err := s.change(ctx, "erase a user", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, subject); err != nil {
			return err
		}
		// The keys stay without their answers, so a repeated save gets ErrKeyOfDeleted.
		_, err := tx.ExecContext(ctx, `UPDATE idempotency SET answer = NULL
			WHERE portfolio IN (SELECT id FROM portfolios WHERE subject = $1)`, subject)
		if err != nil {
			return fmt.Errorf("delete stored answers: %w", err)
		}
		if erased.Portfolios, err = changeRows(ctx, tx, `DELETE FROM portfolios WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete portfolios: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM owners WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete owners: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM captures WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete captures: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM statement_jobs WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete jobs: %w", err)
		}
		_, err = tx.ExecContext(ctx, `UPDATE audit SET address = '', user_agent = ''
			WHERE subject = $1 AND actor = $1`, subject)
		if err != nil {
			return fmt.Errorf("remove addresses from the audit trail: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM mail_consents WHERE subject = $1`, subject); err != nil {
			return fmt.Errorf("delete the consent to parse mail: %w", err)
		}
		if err := eraseResources(ctx, tx, subject); err != nil {
			return err
		}
		if err := eraseLinks(ctx, tx, subject); err != nil {
			return err
		}
		if err := eraseCalls(ctx, tx, subject); err != nil {
			return err
		}
		if err := eraseEvents(ctx, tx, subject); err != nil {
			return err
		}
		if err := s.emit(ctx, tx, webhook.New(webhook.UserErased, subject, r.At, webhook.Object{})); err != nil {
			return err
		}
		if err := s.record(ctx, tx, r); err != nil {
			return err
		}
		return s.revokeErased(ctx, tx, subject, r.At, &erased)
	})
	s.truncate(ctx)
	return erased, err
}

// revokeErased revokes all tokens of subject, which is erased, with which the transaction ends.
// That change of access stays when the grants are gone: their tokens are still in
// browsers and in the caches of replicas. A grant whose mint began before is refused. It also
// deletes the reasons of all blocks of subject, except of one that is in force at at.
func (s *DB) revokeErased(ctx context.Context, tx *sql.Tx, subject string, at time.Time, erased *privacy.EraseResult) error {
	c := access.Change{Kind: access.RevokeUser, Subject: subject, At: at, Actor: subject}
	revoke, err := s.applyAccess(ctx, tx, &c)
	if err != nil {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	last := slices.Concat(waitForLock(s.dialect.lock, accessLock), revoke, []lastStatement{
		{query: `SELECT version FROM access_state`, into: &erased.AccessVersion},
		{query: `DELETE FROM grants WHERE subject = $1`, args: []any{subject}, affected: &erased.Grants},
		{query: `UPDATE access_changes SET reason = '', sealed_reason = NULL WHERE subject = $1 AND reason <> ''`, args: []any{subject}},
		{query: `DELETE FROM blocks WHERE subject = $2 AND NOT ` + inForce, args: []any{millis(at), subject}},
	})
	return leaseOf(ctx).finish(ctx, tx, last...)
}

// truncate removes deleted data from the database's files, where the dialect supports
// that. It fails while others read; the data is overwritten later then.
func (s *DB) truncate(ctx context.Context) {
	if s.dialect.truncate == "" {
		return
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	_, _ = s.writer.ExecContext(ctx, s.dialect.truncate)
}

// changeRows runs a statement that changes rows, and returns how many it has changed.
func changeRows(ctx context.Context, tx *sql.Tx, query string, args ...any) (int, error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
