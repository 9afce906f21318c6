package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// accessHistory returns statements that store grants of 40 users, and changes of access, in ten days: on most
// of them few, on one of them hundreds in an hour, and two that concern all users. The clocks of those
// who wrote them differ by up to ten minutes.
func accessHistory(random *rand.Rand) string {
	var grants, changes, alone []string
	version := 0
	before := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	change := func(kind access.Kind, subject, grantID string, at int64) {
		version++
		changes = append(changes, fmt.Sprintf("(%d, '%s', '%s', '%s', '', 0, %d, 'admin/x')", version, kind, subject, grantID, at))
	}
	for i, at := 0, accessBegin; at.Before(accessBegin.AddDate(0, 0, 10)); i++ {
		pause := 30 * time.Minute
		if at.Sub(accessBegin.AddDate(0, 0, 5)).Abs() < time.Hour {
			pause = 10 * time.Second
		}
		at = at.Add(before(2 * pause))
		ms := at.Add(before(20*time.Minute) - 10*time.Minute).UnixMilli()
		subject, grantID := fmt.Sprintf("app:%d", random.IntN(40)), fmt.Sprintf("gr_%05d", i)
		switch kind := random.IntN(100); {
		case i == 100 || i == 300:
			change(access.RevokeAll, "", "", ms)
		case kind < 60:
			ttl := int64(1+random.IntN(60)) * 60_000
			grants = append(grants, fmt.Sprintf("('%s', '%s', 'direct', %d, %d, '', %d)", grantID, subject, ms, ms+ttl, version))
		case kind < 70:
			change(access.RevokeUser, subject, "", ms)
		case kind < 80:
			change(access.Block, subject, "", ms)
		case kind < 90:
			change(access.Unblock, subject, "", ms)
		case len(grants) > 0:
			of := grants[len(grants)-1][2:10]
			change(access.RevokeGrant, subject, of, ms)
			alone = append(alone, fmt.Sprintf("UPDATE grants SET revoked_ms = %d WHERE id = '%s'", ms, of))
		}
	}
	return strings.Join(append([]string{
		"INSERT INTO grants (id, subject, mode, issued_ms, expires_ms, vendor_request_id, access_version) VALUES " + strings.Join(grants, ", "),
		"INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor) VALUES " + strings.Join(changes, ", "),
	}, alone...), ";\n")
}

func TestRevokedGrantsAreThoseWhoseStateIsRevoked(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64() //nolint:gosec // no secret
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url, storetest.NewBox(t))
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
		execute(t, url, accessHistory(random))
		someTime := func() time.Time { return accessBegin.Add(time.Duration(random.IntN(10*24*60)) * time.Minute) }
		for i := range 40 {
			now := accessBegin.AddDate(0, 0, 10).Add(time.Duration(random.IntN(120)) * time.Minute)
			var f token.Filter
			if i%2 == 1 {
				f.From = someTime()
			}
			if i%3 == 1 {
				f.To = someTime()
			}
			all := idsOf(t, s, f, 5000, now, token.StateRevoked)
			f.State = token.StateRevoked
			if i == 0 && len(all) < 100 {
				t.Errorf("seed %d: only %d grants are revoked", seed, len(all))
			}
			if got := idsOf(t, s, f, 1+random.IntN(60), now, token.StateRevoked); !slices.Equal(got, all) {
				t.Errorf("seed %d, %d at %s: got %q, want %q", seed, i, now, got, all)
			}
		}
	})
}

// idsOf lists the grants that match f in pages of n, and returns those in the state.
func idsOf(t *testing.T, s *store.DB, f token.Filter, n int, now time.Time, state token.State) (ids []string) {
	t.Helper()
	for after := (token.Cursor{}); ; {
		page, err := s.FindGrants(t.Context(), f, after, n, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page {
			if g.State == state {
				ids = append(ids, g.ID)
			}
		}
		if len(page) < n {
			return ids
		}
		after = token.Cursor{IssuedAt: page[n-1].IssuedAt, ID: page[n-1].ID}
	}
}
