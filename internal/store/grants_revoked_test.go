package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// accessHistory returns statements that store grants of 40 users, and changes of access, in ten days: on most
// of them few, on one of them hundreds in an hour, two that concern all users, and hundreds of users without
// grants. The clocks of those who wrote them differ by up to 14 minutes.
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
		ms := at.Add(before(14*time.Minute) - 7*time.Minute).UnixMilli()
		subject, grantID := fmt.Sprintf("app:%d", random.IntN(40)), fmt.Sprintf("gr_%05d", i)
		if i == 400 { // changes without grants, more than are looked at together
			for n := range 600 {
				change(access.RevokeUser, fmt.Sprintf("app:gone-%d", n), "", ms-int64(n)*1000)
			}
		}
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

// seeds are those of tests with random histories: one that is always the same, and CASBROKER_TEST_SEED or a new one.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	seed := rand.Uint64() //nolint:gosec // no secret
	if text := os.Getenv("CASBROKER_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return []uint64{1, seed}
}

func TestRevokedGrantsAreThoseWhoseStateIsRevoked(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprint("CASBROKER_TEST_SEED=", seed), func(t *testing.T) {
			t.Parallel()
			testRevokedGrants(t, seed)
		})
	}
}

func testRevokedGrants(t *testing.T, seed uint64) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url, storetest.NewBox(t))
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
		execute(t, url, accessHistory(random))
		someTime := func() time.Time { return accessBegin.Add(time.Duration(random.IntN(10*24*60)) * time.Minute) }
		for i := range 20 / sqliteRaceDivisor {
			now := accessBegin.AddDate(0, 0, 10).Add(time.Duration(random.IntN(120)) * time.Minute)
			var f token.Filter
			if i%2 == 1 {
				f.From = someTime()
			}
			if i%3 == 1 {
				f.To = someTime()
			}
			if i%5 == 2 {
				f.From = time.Date(1969, 12, 31, 23, 59, 0, 0, time.UTC)
			}
			all := idsOf(t, s, f, 5000, now, token.StateRevoked)
			f.State = token.StateRevoked
			if i == 0 && len(all) < 100 {
				t.Errorf("only %d grants are revoked", len(all))
			}
			if got := idsOf(t, s, f, 10+random.IntN(60), now, token.StateRevoked); !slices.Equal(got, all) {
				t.Fatalf("%d at %s: got %q, want %q", i, now, got, all)
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

// TestManyChangesWithoutGrantsDoNotDelayAPage has a user revoked every 28 seconds who had no token, as by an app that
// logs out its users. Such changes may concern grants of 91 minutes.
func TestManyChangesWithoutGrantsDoNotDelayAPage(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"postgres": 50_000, "sqlite": 50_000 / (sqliteRaceDivisor * sqliteRaceDivisor)} {
		newURL := map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres}[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, ms := newURL(t), accessBegin.UnixMilli()
			s := storetest.Open(t, url, storetest.NewBox(t))
			execute(t, url, fmt.Sprintf(manyGrants, 5, ms, ms+3_600_000))
			execute(t, url, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
				INSERT INTO access_changes (version, kind, subject, grant_id, reason, until_ms, at_ms, actor)
				SELECT i, 'revoke_user', 'app:' || CAST(i AS TEXT), '', '', 0, CAST(%d AS BIGINT) + CAST(i AS BIGINT) * 28000, 'admin/x' FROM n`, n, ms))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			page, err := s.FindGrants(ctx, token.Filter{State: token.StateRevoked}, token.Cursor{}, 50, accessBegin.AddDate(0, 1, 0))
			if err != nil || len(page) != 5 {
				t.Errorf("got %d grants, %v; want 5", len(page), err)
			}
		})
	}
}
