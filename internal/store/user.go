package store

import (
	"context"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"casbroker/internal/admin"
)

// leastSubject returns an expression for the least subject, in the order of bytes, that
// meets the condition.
func leastSubject(condition string) string {
	least := func(table string) string {
		return `SELECT MIN(subject) AS subject FROM ` + table + ` WHERE ` + condition
	}
	return `(SELECT MIN(subject) FROM (` + least("grants") + ` UNION ALL ` + least("portfolios") + ` UNION ALL ` + least("blocks") + `) x)`
}

// userColumns are the columns of an admin.UserRow for a row u of users. $1 is now and $2
// maxTokenAge before that.
var userColumns = `u.subject,
	EXISTS (SELECT 1 FROM blocks b WHERE b.subject = u.subject AND ` + inForce + `),
	(SELECT COUNT(*) FROM grants g WHERE g.subject = u.subject AND ` + activeCondition + `),
	COALESCE((SELECT MAX(issued_ms) FROM grants g WHERE g.subject = u.subject), 0),
	(SELECT COUNT(*) FROM portfolios p WHERE p.subject = u.subject)`

// FindUsers returns up to limit users that match f, ordered by the bytes of their
// subjects, after the given subject.
func (s *DB) FindUsers(ctx context.Context, f admin.UserFilter, after string, limit int, now time.Time) ([]admin.UserRow, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	query, args := usersQuery(f, after, limit, now)
	list, err := s.users(ctx, query, args...)
	return list, s.explain(ctx, "find users", err)
}

// usersQuery steps from one user to the next through the indexes, so its cost does not
// depend on how many rows each user has. Blocked users are read from their blocks.
func usersQuery(f admin.UserFilter, after string, limit int, now time.Time) (query string, args []any) {
	args = []any{millis(now), millis(now.Add(-maxTokenAge)), max(f.Prefix, after)}
	first, rest := "subject > $3", "subject > u.subject"
	if after < f.Prefix {
		first = "subject >= $3"
	}
	if end, ok := prefixEnd(f.Prefix); ok {
		args = append(args, end)
		first, rest = first+" AND subject < $4", rest+" AND subject < $4"
	}
	if f.Blocked {
		return `WITH users AS (
			SELECT subject FROM blocks WHERE ` + first + ` AND ` + inForce + ` ORDER BY subject LIMIT ` + strconv.Itoa(limit) + `
		) SELECT ` + userColumns + ` FROM users u ORDER BY u.subject`, args
	}
	return `WITH RECURSIVE users(n, subject) AS (
		SELECT 1, ` + leastSubject(first) + `
		UNION ALL
		SELECT n + 1, ` + leastSubject(rest) + ` FROM users u WHERE u.subject IS NOT NULL AND n < ` + strconv.Itoa(limit) + `
	) SELECT ` + userColumns + ` FROM users u WHERE u.subject IS NOT NULL ORDER BY n`, args
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
		u.LastTokenAt = optionalInstant(lastMS)
		list = append(list, u)
	}
	return list, rows.Err()
}

// prefixEnd returns the least string that is greater than all strings that begin with
// prefix. In UTF-8 the order of bytes is the order of code points. There is none for "".
func prefixEnd(prefix string) (end string, ok bool) {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case unicode.MaxRune: // the greatest; increment the rune before it
		case 0xd7ff: // surrogates follow, which UTF-8 cannot encode
			return prefix + "\ue000", true
		default:
			return prefix + string(last+1), true
		}
	}
	return "", false
}

// LiveGrants counts the active access tokens.
func (s *DB) LiveGrants(ctx context.Context, now time.Time) (n int, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM grants g WHERE `+activeCondition,
		millis(now), millis(now.Add(-maxTokenAge))).Scan(&n)
	return n, s.explain(ctx, "count active tokens", err)
}
