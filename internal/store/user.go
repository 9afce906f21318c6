package store

import (
	"context"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"casbroker/internal/admin"
)

// nearest returns the expression for the least subject that meets the condition.
func nearest(condition string) string {
	least := func(table string) string {
		return `SELECT MIN(subject) AS subject FROM ` + table + ` WHERE ` + condition
	}
	return `(SELECT MIN(subject) FROM (` + least("grants") + ` UNION ALL ` + least("portfolios") + ` UNION ALL ` + least("blocks") + `) x)`
}

// lives is the condition that a token of grants g lives and counts at $1, for which
// none that was issued before $2 needs to be looked at.
const lives = `g.issued_ms > $2 AND g.expires_ms > $1 AND ` + unrevoked

// figures are the columns of an admin.UserRow for a row of users u.
const figures = `u.subject,
	EXISTS (SELECT 1 FROM blocks b WHERE b.subject = u.subject AND ` + inForce + `),
	(SELECT COUNT(*) FROM grants g WHERE g.subject = u.subject AND ` + lives + `),
	COALESCE((SELECT MAX(issued_ms) FROM grants g WHERE g.subject = u.subject), 0),
	(SELECT COUNT(*) FROM portfolios p WHERE p.subject = u.subject)`

// FindUsers returns up to limit users that f wants, in the order of the bytes of their
// subjects, past after.
func (s *DB) FindUsers(ctx context.Context, f admin.UserFilter, after string, limit int, now time.Time) ([]admin.UserRow, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	query, args := usersQuery(f, after, limit, now)
	list, err := s.users(ctx, query, args...)
	return list, s.explain(ctx, "find users", err)
}

// usersQuery goes from one user to the next by the indexes, so that it is all the same
// how many rows there are of each. Those who are blocked are found by their blocks.
func usersQuery(f admin.UserFilter, after string, limit int, now time.Time) (query string, args []any) {
	args = []any{millis(now), millis(now.Add(-liveSpan)), max(f.Prefix, after)}
	first, rest := "subject > $3", "subject > u.subject"
	if after < f.Prefix {
		first = "subject >= $3"
	}
	if end, ok := successor(f.Prefix); ok {
		args = append(args, end)
		first, rest = first+" AND subject < $4", rest+" AND subject < $4"
	}
	if f.Blocked {
		return `WITH users AS (
			SELECT subject FROM blocks WHERE ` + first + ` AND ` + inForce + ` ORDER BY subject LIMIT ` + strconv.Itoa(limit) + `
		) SELECT ` + figures + ` FROM users u ORDER BY u.subject`, args
	}
	return `WITH RECURSIVE users(place, subject) AS (
		SELECT 1, ` + nearest(first) + `
		UNION ALL
		SELECT place + 1, ` + nearest(rest) + ` FROM users u WHERE u.subject IS NOT NULL AND place < ` + strconv.Itoa(limit) + `
	) SELECT ` + figures + ` FROM users u WHERE u.subject IS NOT NULL ORDER BY place`, args
}

func (s *DB) users(ctx context.Context, query string, args ...any) ([]admin.UserRow, error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []admin.UserRow
	for rows.Next() {
		var u admin.UserRow
		var lastMS int64
		if err := rows.Scan(&u.Subject, &u.Blocked, &u.LiveTokens, &lastMS, &u.Portfolios); err != nil {
			return nil, err
		}
		u.LastTokenAt = endOf(lastMS)
		list = append(list, u)
	}
	return list, rows.Err()
}

// successor returns the least text that comes after all that begin with prefix, in the
// order of bytes, which is that of characters, too. There is none after "".
func successor(prefix string) (text string, ok bool) {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case unicode.MaxRune: // none comes after it
		case 0xd7ff: // what follows is no character by itself
			return prefix + "\ue000", true
		default:
			return prefix + string(last+1), true
		}
	}
	return "", false
}

// LiveGrants counts the access tokens that are alive and count.
func (s *DB) LiveGrants(ctx context.Context, now time.Time) (n int, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM grants g WHERE `+lives,
		millis(now), millis(now.Add(-liveSpan))).Scan(&n)
	return n, s.explain(ctx, "count living tokens", err)
}
