package store

import (
	"context"
	"math"
	"strconv"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/token"
)

// A revocation concerns grants that were issued less than revocationReach before it. By the clock of another
// replica they may have been issued up to maxClockSkew after it.
const revocationReach = maxTokenAge + maxClockSkew

// revocationBatch is how many revocations are looked at together.
const revocationBatch = 200

// issueWindow is a period in which grants were issued, with the revocations that concern them.
type issueWindow struct {
	from, to int64 // milliseconds; to is not included

	// dense says that many of the grants are revoked. Those are found by going through all grants of the
	// window, otherwise by going through its revocations.
	dense bool
}

// findRevoked is FindGrants for revoked grants of all users. Few grants are revoked, and a revocation is not
// noted in the grants that it concerns. So it goes back from one group of revocations to the next,
// and leaves out the time between, however many grants were issued in it.
func (s *DB) findRevoked(ctx context.Context, f token.Filter, after token.Cursor, limit int, now time.Time) (list []token.GrantInfo, err error) {
	first, to := int64(0), int64(math.MaxInt64/2)
	if !f.From.IsZero() {
		first = millis(f.From)
	}
	if !f.To.IsZero() {
		to = millis(f.To)
	}
	if after.ID != "" {
		to = min(to, millis(after.IssuedAt)+1)
	}
	for len(list) < limit {
		w, err := s.nextRevocations(ctx, first, to)
		if err != nil || w.to <= w.from {
			return list, err
		}
		where := grantConditions(f, after, now)
		where.add("g.issued_ms >= ? AND g.issued_ms < ?", w.from, w.to)
		order := newestGrants
		if !w.dense {
			where.add(revokedBetween, w.from-maxClockSkew.Milliseconds(), w.to+revocationReach.Milliseconds())
			order = sortedGrants
		}
		query := selectGrants + where.text() + order + where.number(" LIMIT ?", limit-len(list))
		found, err := s.findGrants(ctx, now, query, where.args...)
		if err != nil {
			return nil, err
		}
		list, to = append(list, found...), w.from
	}
	return list, nil
}

// revokedBetween is the condition that g may have been revoked, by itself or with all grants of its user, from
// one instant until before another.
var revokedBetween = `g.id IN (
	WITH recent AS (SELECT kind, subject, grant_id, at_ms FROM access_changes WHERE at_ms >= ? AND at_ms < ?)
	SELECT grant_id FROM recent WHERE kind = 'revoke_grant'
	UNION ALL
	SELECT o.id FROM recent c JOIN grants o ON o.subject = c.subject AND o.issued_ms > c.at_ms - ` + strconv.FormatInt(revocationReach.Milliseconds(), 10) + `
		AND o.issued_ms <= c.at_ms + ` + strconv.FormatInt(maxClockSkew.Milliseconds(), 10) + ` WHERE c.` + isRevocation + `)`

// nextRevocations returns the newest window before to that has revocations. It is empty if there are none
// for grants that were issued at first or later.
func (s *DB) nextRevocations(ctx context.Context, first, to int64) (w issueWindow, err error) {
	skew, reach := maxClockSkew.Milliseconds(), revocationReach.Milliseconds()
	rows, err := s.reader.QueryContext(ctx, `SELECT at_ms, kind FROM access_changes WHERE at_ms >= $1 AND at_ms < $2 AND kind <> 'unblock'
		ORDER BY at_ms DESC LIMIT $3`, first-skew, to+reach, revocationBatch)
	if err != nil {
		return w, err
	}
	defer func() { _ = rows.Close() }()
	w.from = first
	for n := 1; rows.Next(); n++ {
		var at int64
		var kind access.Kind
		if err := rows.Scan(&at, &kind); err != nil {
			return w, err
		}
		if n == 1 {
			w.to = min(to, at+skew+1)
		}
		if kind == access.RevokeAll || n == revocationBatch { // the next window has those that this one concerns
			w.from = max(first, at+skew+1)
			break
		}
	}
	if w.dense = w.to > first && w.from >= w.to; w.dense {
		w.from = max(first, w.to-reach)
	}
	return w, rows.Err()
}
