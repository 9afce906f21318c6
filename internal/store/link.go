package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/audit"
	"casbroker/internal/link"
)

// linkRevoked is the condition that a change of access has ended the links l of its user, or
// of all users.
const linkRevoked = `EXISTS (SELECT 1 FROM access_changes c WHERE c.subject IN ('', l.subject) AND c.version > l.access_version AND c.` + isRevocation + `)`

// openLink is the condition that a link l can be used at $1.
const openLink = `l.outcome = '' AND l.expires_ms > $1 AND NOT ` + linkRevoked

const linkColumns = `l.id, l.subject, l.use_kind, l.language, l.sealed, l.created_by, l.created_ms, l.expires_ms, l.opened_ms, l.ended_ms,
	l.outcome, l.portfolio, l.saved_by, l.saved_key, l.access_version, ` + linkRevoked

// scanLink reads linkColumns, and more columns into more.
func (s *DB) scanLink(scan func(...any) error, now time.Time, more ...any) (link.Link, error) {
	var l link.Link
	var sealed []byte
	var createdMS, expiresMS, openedMS, endedMS int64
	var outcome string
	var revoked bool
	err := scan(append([]any{
		&l.ID, &l.Subject, &l.Use, &l.Language, &sealed, &l.CreatedBy, &createdMS, &expiresMS, &openedMS, &endedMS,
		&outcome, &l.PortfolioID, &l.SavedBy, &l.SavedKey, &l.AccessVersion, &revoked,
	}, more...)...)
	if err != nil {
		return l, err
	}
	l.CreatedAt, l.ExpiresAt = instant(createdMS), instant(expiresMS)
	l.OpenedAt, l.EndedAt = optionalInstant(openedMS), optionalInstant(endedMS)
	switch {
	case outcome != "":
		l.State = link.State(outcome)
	case revoked:
		l.State = link.Revoked
	case !now.Before(l.ExpiresAt):
		l.State = link.Expired
	case openedMS != 0:
		l.State = link.Opened
	default:
		l.State = link.New
	}
	plain, err := s.box.Open(linkData(l.ID), sealed)
	if err != nil {
		return l, nil //nolint:nilerr // without its key, a link has no details
	}
	return l, json.Unmarshal(plain, &l.Private)
}

// AddLink stores a link, as link.Store describes.
func (s *DB) AddLink(ctx context.Context, l link.Link, tokenHash []byte, r audit.Record) error {
	plain, err := json.Marshal(l.Private)
	if err != nil {
		return fmt.Errorf("encode a link: %w", err)
	}
	return s.change(ctx, "add a link", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lockSubject(ctx, tx, l.Subject); err != nil {
			return err
		}
		var open int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM links l WHERE `+openLink+` AND l.subject = $2`, millis(l.CreatedAt), l.Subject).Scan(&open)
		switch {
		case err != nil:
			return fmt.Errorf("count links: %w", err)
		case open >= link.MaxOpen:
			return link.ErrTooMany
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO links (id, subject, token_hash, use_kind, language, sealed, created_by, created_ms, expires_ms, access_version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			l.ID, l.Subject, tokenHash, string(l.Use), l.Language, s.box.Seal(linkData(l.ID), plain), l.CreatedBy,
			millis(l.CreatedAt), millis(l.ExpiresAt), l.AccessVersion)
		if err != nil {
			return fmt.Errorf("insert a link: %w", err)
		}
		if err := s.record(ctx, tx, r); err != nil {
			return err
		}
		return leaseOf(ctx).finish(ctx, tx, s.requireAccess(l.Subject, l.AccessVersion, l.CreatedAt)...)
	})
}

// Links returns links of subject, as link.Store describes.
func (s *DB) Links(ctx context.Context, subject string, before link.Cursor, limit int, now time.Time) ([]link.Link, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var where conditions
	where.add("l.subject = ?", subject)
	if before.ID != "" {
		where.add("(l.created_ms, l.id) < (?, ?)", millis(before.At), before.ID)
	}
	query := `SELECT ` + linkColumns + ` FROM links l` + where.text() + ` ORDER BY l.created_ms DESC, l.id DESC` + where.number(" LIMIT ?", limit)
	list, err := queryAll(ctx, s.reader, func(scan func(...any) error) (link.Link, error) {
		return s.scanLink(scan, now)
	}, query, where.args...)
	return list, s.explain(ctx, "list links", err)
}

// Link returns a link of subject with its sessions, as link.Store describes.
func (s *DB) Link(ctx context.Context, subject, linkID string, now time.Time) (link.Link, []link.Session, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	l, err := s.scanLink(s.reader.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM links l WHERE l.id = $1 AND ($2 = '' OR l.subject = $2)`, linkID, subject).Scan, now)
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil, link.ErrNoLink
	}
	if err != nil {
		return l, nil, s.explain(ctx, "read a link", err)
	}
	sessions, err := queryAll(ctx, s.reader, scanLinkSession,
		`SELECT `+linkSessionColumns+` FROM link_sessions u WHERE u.link = $1 ORDER BY u.started_ms, u.id`, linkID)
	return l, sessions, s.explain(ctx, "read the sessions of a link", err)
}

// RevokeLink ends a link, as link.Store describes.
func (s *DB) RevokeLink(ctx context.Context, subject, linkID string, at time.Time, r audit.Record) (already bool, err error) {
	err = s.change(ctx, "revoke a link", func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.lockLink(ctx, tx, linkID, at)
		if errors.Is(err, sql.ErrNoRows) || err == nil && subject != "" && l.Subject != subject {
			return link.ErrNoLink
		}
		if err != nil {
			return err
		}
		r.Subject = l.Subject
		if already = l.State.Ended(); already {
			r = r.WithDetail("already")
		} else if err := s.endLink(ctx, tx, l, link.Revoked, at); err != nil {
			return err
		}
		return s.record(ctx, tx, r)
	})
	return already, err
}

// ExpireLinks deletes the links that ended at until or before. It works in small transactions
// and returns how many it deleted, also when it fails halfway.
func (s *DB) ExpireLinks(ctx context.Context, until time.Time) (total int, err error) {
	for {
		n := 0
		err := s.change(ctx, "delete old links", func(ctx context.Context, tx *sql.Tx) (err error) {
			n, err = changeRows(ctx, tx, `DELETE FROM links WHERE id IN (SELECT id FROM links
				WHERE outcome <> '' AND settled = 1 AND ended_ms <= $1 ORDER BY ended_ms LIMIT $2`+s.dialect.skipLocked+`)`, millis(until), expireGrants)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < expireGrants {
			return total, nil
		}
	}
}

// eraseLinks deletes the links of subject.
func eraseLinks(ctx context.Context, tx *sql.Tx, subject string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE subject = $1`, subject); err != nil {
		return fmt.Errorf("delete links: %w", err)
	}
	return nil
}

// linkData returns the associated data of what an app gave for the page of a link.
func linkData(linkID string) string { return "links/" + linkID }
