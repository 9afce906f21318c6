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
	"casbroker/internal/webhook"
)

const linkSessionColumns = `u.id, u.link, u.started_ms, u.steps`

func scanLinkSession(scan func(...any) error) (link.Session, error) {
	var u link.Session
	var startedMS int64
	var steps string
	if err := scan(&u.ID, &u.LinkID, &startedMS, &steps); err != nil {
		return u, err
	}
	u.StartedAt = instant(startedMS)
	return u, json.Unmarshal([]byte(steps), &u.Steps)
}

// lockLink returns a link, which no other transaction changes until this one has ended, or
// sql.ErrNoRows.
func (s *DB) lockLink(ctx context.Context, tx *sql.Tx, linkID string, now time.Time) (link.Link, error) {
	n, err := changeRows(ctx, tx, `UPDATE links SET settled = settled WHERE id = $1`, linkID)
	if err != nil {
		return link.Link{}, fmt.Errorf("lock a link: %w", err)
	}
	if n == 0 {
		return link.Link{}, sql.ErrNoRows
	}
	return s.scanLink(tx.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM links l WHERE l.id = $1`, linkID).Scan, now)
}

// ending is how a link has ended.
type ending struct {
	outcome   link.State
	portfolio string
	session   string // that saved it
	key       []byte
}

// endLink ends a link, which is locked, with outcome, or as completed if the gateway has saved
// a statement under it.
func (s *DB) endLink(ctx context.Context, tx *sql.Tx, l link.Link, outcome link.State, at time.Time) error {
	e, err := captured(ctx, tx, l)
	if err != nil {
		return err
	}
	if e.portfolio == "" {
		e.outcome = outcome
	}
	return s.writeEnding(ctx, tx, l, e, at)
}

// captured returns the ending of a link under which the gateway has saved a statement, else the
// zero ending.
func captured(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, l link.Link) (ending, error) {
	e := ending{outcome: link.Completed}
	err := q.QueryRowContext(ctx, `SELECT c.portfolio_id, g.session FROM link_grants g JOIN gateway_calls c ON c.grant_id <> '' AND c.grant_id = g.grant_id
		WHERE g.link = $1 AND c.portfolio_id <> '' AND EXISTS (SELECT 1 FROM portfolios p WHERE p.id = c.portfolio_id AND p.subject = $2)
		ORDER BY c.started_ms DESC, c.id DESC LIMIT 1`, l.ID, l.Subject).Scan(&e.portfolio, &e.session)
	if errors.Is(err, sql.ErrNoRows) {
		return ending{}, nil
	}
	if err != nil {
		return ending{}, fmt.Errorf("look for the statements of a link: %w", err)
	}
	return e, nil
}

// writeEnding ends a link, which is locked and has not ended, and writes its event if it was
// opened.
func (s *DB) writeEnding(ctx context.Context, tx *sql.Tx, l link.Link, e ending, at time.Time) error {
	if e.outcome == link.Expired && l.ExpiresAt.Before(at) {
		at = l.ExpiresAt
	}
	opened := !l.OpenedAt.IsZero()
	_, err := tx.ExecContext(ctx, `UPDATE links SET outcome = $1, ended_ms = $2, portfolio = $3, saved_by = $4, saved_key = $5, settled = $6 WHERE id = $7`,
		string(e.outcome), millis(at), e.portfolio, e.session, e.key, boolInt(!opened), l.ID)
	if err != nil {
		return fmt.Errorf("end a link: %w", err)
	}
	switch {
	case e.outcome == link.Completed:
		return s.emit(ctx, tx, webhook.New(webhook.LinkCompleted, l.Subject, at, webhook.Object{LinkID: l.ID, PortfolioID: e.portfolio}))
	case opened:
		return s.emit(ctx, tx, webhook.New(webhook.LinkAbandoned, l.Subject, at, webhook.Object{LinkID: l.ID, Reason: string(e.outcome)}))
	}
	return nil
}

// LinkByToken returns a link, as link.SessionStore describes.
func (s *DB) LinkByToken(ctx context.Context, tokenHash []byte, now time.Time) (link.Link, error) {
	l, saved, err := s.readLink(ctx, now, `l.token_hash = $1`, tokenHash)
	if err != nil || !saved {
		return l, err
	}
	err = s.change(ctx, "complete a link", func(ctx context.Context, tx *sql.Tx) error {
		if l, err = s.lockLink(ctx, tx, l.ID, now); err != nil || l.State != link.Opened {
			return unknownLink(err)
		}
		e, err := captured(ctx, tx, l)
		if err != nil || e.portfolio == "" {
			return err
		}
		return s.writeEnding(ctx, tx, l, e, now)
	})
	if err != nil {
		return l, err
	}
	l, _, err = s.readLink(ctx, now, `l.token_hash = $1`, tokenHash)
	return l, err
}

// readLink returns the link that meets a condition, and whether it is open although the gateway has
// saved a statement under it.
func (s *DB) readLink(ctx context.Context, now time.Time, condition string, value any) (l link.Link, saved bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	l, err = s.scanLink(s.reader.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM links l WHERE `+condition, value).Scan, now)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, link.ErrUnknown
	}
	if err == nil && l.State == link.Opened {
		var e ending
		e, err = captured(ctx, s.reader, l)
		saved = e.portfolio != ""
	}
	return l, saved, s.explain(ctx, "read a link", err)
}

// LinkBySession returns a session and its link, as link.SessionStore describes.
func (s *DB) LinkBySession(ctx context.Context, sessionHash []byte, now time.Time) (l link.Link, u link.Session, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var startedMS int64
	var steps string
	row := s.reader.QueryRowContext(ctx, `SELECT `+linkColumns+`, `+linkSessionColumns+`
		FROM link_sessions u JOIN links l ON l.id = u.link WHERE u.secret_hash = $1`, sessionHash)
	l, err = s.scanLink(row.Scan, now, &u.ID, &u.LinkID, &startedMS, &steps)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return l, u, link.ErrUnknown
	case err == nil:
		u.StartedAt = instant(startedMS)
		err = json.Unmarshal([]byte(steps), &u.Steps)
	}
	return l, u, s.explain(ctx, "read the session of a link", err)
}

// StartLink stores a session, as link.SessionStore describes.
func (s *DB) StartLink(ctx context.Context, linkID string, u link.Session, sessionHash []byte, now time.Time, r audit.Record) error {
	steps, err := json.Marshal(u.Steps)
	if err != nil {
		return err
	}
	return s.change(ctx, "start the session of a link", func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.lockLink(ctx, tx, linkID, now)
		if err != nil {
			return unknownLink(err)
		}
		if err := l.State.Err(); err != nil {
			return err
		}
		var others, same int
		err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN secret_hash = $1 THEN 1 END) FROM link_sessions WHERE link = $2`,
			sessionHash, linkID).Scan(&others, &same)
		switch {
		case err != nil:
			return fmt.Errorf("count the sessions of a link: %w", err)
		case same > 0:
			return nil
		case others > 0 && l.Use == link.Once:
			return link.ErrUsed
		case others >= link.MaxSessions:
			return link.ErrTooManySessions
		}
		expires := l.ExpiresAt
		if end := now.Add(link.OnceTTL); l.Use == link.Once && end.Before(expires) {
			expires = end
		}
		n, err := changeRows(ctx, tx, `INSERT INTO link_sessions (id, link, secret_hash, started_ms, steps) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (secret_hash) DO NOTHING`, u.ID, linkID, sessionHash, millis(u.StartedAt), string(steps))
		switch {
		case err != nil:
			return fmt.Errorf("insert the session of a link: %w", err)
		case n == 0:
			return link.ErrSessionTaken
		}
		_, err = tx.ExecContext(ctx, `UPDATE links SET opened_ms = CASE WHEN opened_ms = 0 THEN $1 ELSE opened_ms END, expires_ms = $2 WHERE id = $3`,
			millis(now), millis(expires), linkID)
		if err != nil {
			return fmt.Errorf("open a link: %w", err)
		}
		return s.record(ctx, tx, r)
	})
}

// unknownLink returns link.ErrUnknown for a link that was deleted meanwhile, else err.
func unknownLink(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return link.ErrUnknown
	}
	return err
}

// AddLinkGrant records a grant, as link.SessionStore describes.
func (s *DB) AddLinkGrant(ctx context.Context, u link.Session, grantID string, now time.Time) error {
	return s.change(ctx, "record the token of a link", func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.lockLink(ctx, tx, u.LinkID, now)
		if err != nil {
			return unknownLink(err)
		}
		if err := l.State.Err(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO link_grants (grant_id, link, session) VALUES ($1, $2, $3)`, grantID, u.LinkID, u.ID)
		return err
	})
}

// AddSteps adds steps to a session, as link.SessionStore describes.
func (s *DB) AddSteps(ctx context.Context, sessionID string, steps []link.Step, most int) error {
	return s.change(ctx, "record the steps of a link", func(ctx context.Context, tx *sql.Tx) error {
		var text string
		err := tx.QueryRowContext(ctx, `UPDATE link_sessions SET steps = steps WHERE id = $1 RETURNING steps`, sessionID).Scan(&text)
		if err != nil {
			return unknownLink(err)
		}
		var list []link.Step
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return fmt.Errorf("read the steps of a link: %w", err)
		}
		list = append(list, steps[:max(0, min(len(steps), most-len(list)))]...)
		all, err := json.Marshal(list)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE link_sessions SET steps = $1 WHERE id = $2`, string(all), sessionID)
		return err
	})
}

// CompleteLink ends a link, as link.SessionStore describes.
func (s *DB) CompleteLink(ctx context.Context, u link.Session, portfolioID string, keyHash []byte, now time.Time) error {
	return s.change(ctx, "complete a link", func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.lockLink(ctx, tx, u.LinkID, now)
		switch {
		case errors.Is(err, sql.ErrNoRows): // the user was erased meanwhile
			return nil
		case err != nil:
			return err
		case l.EndedAt.IsZero():
			return s.writeEnding(ctx, tx, l, ending{link.Completed, portfolioID, u.ID, keyHash}, now)
		case l.SavedBy == u.ID && l.SavedKey == nil:
			_, err := tx.ExecContext(ctx, `UPDATE links SET saved_key = $1 WHERE id = $2`, keyHash, u.LinkID)
			return err
		default:
			return nil
		}
	})
}

// LinkGrants returns the grants of a link.
func (s *DB) LinkGrants(ctx context.Context, linkID string) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := readTexts(ctx, s.reader, `SELECT grant_id FROM link_grants WHERE link = $1 ORDER BY grant_id`, linkID)
	return list, s.explain(ctx, "read the tokens of a link", err)
}

// EndLinks ends links, as link.SessionStore describes.
func (s *DB) EndLinks(ctx context.Context, now time.Time, limit int) ([]string, error) {
	over, err := s.linksOver(ctx, now, limit)
	if err != nil {
		return nil, err
	}
	for _, linkID := range over {
		err := s.change(ctx, "end a link", func(ctx context.Context, tx *sql.Tx) error {
			l, err := s.lockLink(ctx, tx, linkID, now)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil || !l.EndedAt.IsZero() || !l.State.Ended() {
				return err
			}
			return s.endLink(ctx, tx, l, l.State, now)
		})
		if err != nil {
			return nil, err
		}
	}
	read, cancel := withTimeout(ctx)
	defer cancel()
	list, err := readTexts(read, s.reader, `SELECT id FROM links WHERE outcome <> '' AND settled = 0 ORDER BY id LIMIT $1`, limit)
	return list, s.explain(read, "look for links that have ended", err)
}

// linksOver returns links that are over at now and have not ended.
func (s *DB) linksOver(ctx context.Context, now time.Time, limit int) ([]string, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	list, err := readTexts(ctx, s.reader, `SELECT l.id FROM links l WHERE l.outcome = '' AND (l.expires_ms <= $1 OR `+linkRevoked+`) LIMIT $2`, millis(now), limit)
	return list, s.explain(ctx, "look for links to end", err)
}

// SettleLink records that the tokens of a link are revoked.
func (s *DB) SettleLink(ctx context.Context, linkID string) error {
	return s.change(ctx, "settle a link", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE links SET settled = 1 WHERE id = $1 AND outcome <> ''`, linkID)
		return err
	})
}
