package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/token"
)

// A revocation concerns grants that were issued less than revocationReach before it. By the clock of another
// replica they may have been issued up to maxClockSkew after it.
const revocationReach = maxTokenAge + maxClockSkew

// changesTogether is how many changes of access are looked at in one query.
const changesTogether = 500

// revokedPage collects the newest revoked grants of all users.
type revokedPage struct {
	filter token.Filter
	after  token.Cursor
	limit  int
	now    time.Time

	first, to int64 // when the grants of the page were issued, in ms; to is not included
	list      []token.GrantInfo
}

// findRevoked is FindGrants for revoked grants of all users. Few grants are revoked, and a revocation is not
// noted in the grants that it concerns. So it looks for the grants of each revocation, and for no others.
func (s *DB) findRevoked(ctx context.Context, f token.Filter, after token.Cursor, limit int, now time.Time) ([]token.GrantInfo, error) {
	p := revokedPage{filter: f, after: after, limit: limit, now: now, to: math.MaxInt64 / 2}
	if !f.From.IsZero() {
		p.first = max(0, millis(f.From))
	}
	if !f.To.IsZero() {
		p.to = millis(f.To)
	}
	if after.ID != "" {
		p.to = min(p.to, millis(after.IssuedAt)+1)
	}
	if err := s.addRevokedForAll(ctx, &p); err != nil {
		return nil, err
	}
	err := s.addRevokedByChange(ctx, &p)
	return p.list, err
}

// addRevokedForAll adds the grants that were issued when a revocation of the tokens of all users may concern
// them. Most of those are revoked, so it goes through them.
func (s *DB) addRevokedForAll(ctx context.Context, p *revokedPage) error {
	skew, reach := maxClockSkew.Milliseconds(), revocationReach.Milliseconds()
	all, err := queryAll(ctx, s.reader, scanInt64, `SELECT at_ms FROM access_changes WHERE subject = '' AND kind = 'revoke_all'
		AND at_ms >= $1 AND at_ms < $2 ORDER BY at_ms DESC`, p.first-skew, p.to+reach)
	for len(all) > 0 && err == nil && all[0]+skew >= p.first {
		n := 1
		for n < len(all) && all[n]+skew > all[n-1]-reach { // their grants are in one period
			n++
		}
		err = s.addRevoked(ctx, p, newestGrants, `g.issued_ms > ? AND g.issued_ms <= ?`, all[n-1]-reach, all[0]+skew)
		all = all[n:]
	}
	return err
}

// addRevokedByChange adds the grants that were revoked alone, or with all grants of their user. It reads the
// changes of access from the newest to the oldest, until none of them can concern a grant of the page.
func (s *DB) addRevokedByChange(ctx context.Context, p *revokedPage) error {
	skew, to := maxClockSkew.Milliseconds(), p.to+revocationReach.Milliseconds()
	for {
		var n int
		var from int64
		err := s.reader.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(at_ms), 0) FROM (SELECT at_ms FROM access_changes
			WHERE at_ms >= $1 AND at_ms < $2 ORDER BY at_ms DESC LIMIT $3) AS newest`, p.first-skew, to, changesTogether).Scan(&n, &from)
		if err != nil || n == 0 {
			return err
		}
		if err := s.addRevoked(ctx, p, sortedGrants, revokedBetween, from, to); err != nil {
			return err
		}
		to = from
	}
}

func scanInt64(scan func(...any) error) (n int64, err error) {
	err = scan(&n)
	return n, err
}

// revokedBetween is the condition that g may have been revoked, by itself or with all grants of its user, from
// one instant until before another.
var revokedBetween = strings.NewReplacer("reach", strconv.FormatInt(revocationReach.Milliseconds(), 10),
	"skew", strconv.FormatInt(maxClockSkew.Milliseconds(), 10)).Replace(`g.id IN (
	WITH recent AS (SELECT version, kind, subject, grant_id, at_ms FROM access_changes WHERE at_ms >= ? AND at_ms < ?)
	SELECT grant_id FROM recent WHERE kind = 'revoke_grant'
	UNION ALL
	SELECT o.id FROM recent c JOIN grants o ON o.subject = c.subject AND o.issued_ms > c.at_ms - reach AND o.issued_ms <= c.at_ms + skew
		AND o.access_version < c.version WHERE c.` + isRevocation + `)`)

// addRevoked adds the grants that match a condition to the page, and leaves out those that are too old for it.
func (s *DB) addRevoked(ctx context.Context, p *revokedPage, order, condition string, args ...any) error {
	where := grantConditions(p.filter, p.after, p.now)
	where.add("g.issued_ms >= ?", p.first)
	where.add(condition, args...)
	query := selectGrants + where.text() + order + where.number(" LIMIT ?", p.limit)
	found, err := s.findGrants(ctx, p.now, query, where.args...)
	if err != nil {
		return err
	}
	p.list = append(p.list, found...)
	slices.SortFunc(p.list, func(a, b token.GrantInfo) int {
		return cmp.Or(b.IssuedAt.Compare(a.IssuedAt), cmp.Compare(b.ID, a.ID))
	})
	p.list = slices.CompactFunc(p.list, func(a, b token.GrantInfo) bool { return a.ID == b.ID })
	if len(p.list) >= p.limit {
		p.list = p.list[:p.limit]
		p.first = max(p.first, millis(p.list[p.limit-1].IssuedAt))
	}
	return nil
}
