package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/id"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// register returns the directory of the grants of s at now.
func register(s *store.DB, now time.Time) *token.Directory {
	return &token.Directory{Grants: s, Now: func() time.Time { return now }}
}

func TestGrantsHaveTheRightState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		names := map[string]string{}
		add := func(name, subject string, at time.Time, version int64) {
			grantID := id.New("gr")
			names[grantID] = name
			mustGive(t, s, grantID, subject, at, version)
		}
		hour := func(n int) time.Time { return accessBegin.Add(time.Duration(n) * time.Hour) }
		add("long expired", "app:asha", hour(-5), 0)
		add("revoked with the user's", "app:asha", hour(0), 0)
		add("rohan's", "app:rohan", hour(0), 0)
		add("revoked alone", "app:rohan", hour(0), 0)
		for grantID, name := range names {
			if name == "revoked alone" {
				mustAlter(t, s, access.Change{Kind: access.RevokeGrant, GrantID: grantID}, hour(0).Add(time.Minute))
			}
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "app:asha"}, hour(0).Add(2*time.Minute))
		add("asha's new one", "app:asha", hour(0).Add(3*time.Minute), 2)
		add("a blocked user's", "app:kabir", hour(0), 2)
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "app:kabir"}, hour(0).Add(4*time.Minute))
		mustAlter(t, s, access.Change{Kind: access.Unblock, Subject: "app:kabir"}, hour(0).Add(5*time.Minute))

		list := func(now time.Time, f token.Filter) string {
			var found []string
			page, err := register(s, now).List(t.Context(), f, "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range page.Grants {
				found = append(found, names[k.ID])
				one, err := register(s, now).Grant(t.Context(), k.ID)
				if err != nil || !reflect.DeepEqual(one, k) {
					t.Errorf("FindGrant returns %+v, the list has %+v (%v)", one, k, err)
				}
				if (k.State == token.StateRevoked) == k.RevokedAt.IsZero() {
					t.Errorf("%s was revoked at %s", k.State, k.RevokedAt)
				}
			}
			slices.Sort(found)
			return strings.Join(found, ", ")
		}
		soon, later := hour(0).Add(10*time.Minute), hour(3)
		for _, c := range []struct {
			name string
			now  time.Time
			f    token.Filter
			want string
		}{
			{"active", soon, token.Filter{State: token.StateActive}, "asha's new one, rohan's"},
			{"expired", soon, token.Filter{State: token.StateExpired}, "long expired"},
			{"revoked", soon, token.Filter{State: token.StateRevoked}, "a blocked user's, revoked alone, revoked with the user's"},
			{"active, later", later, token.Filter{State: token.StateActive}, ""},
			{"expired, later", later, token.Filter{State: token.StateExpired}, "asha's new one, long expired, rohan's"},
			{"revoked, later", later, token.Filter{State: token.StateRevoked}, "a blocked user's, revoked alone, revoked with the user's"},
			{"asha's", soon, token.Filter{Subject: "app:asha"}, "asha's new one, long expired, revoked with the user's"},
			{"asha's active", soon, token.Filter{Subject: "app:asha", State: token.StateActive}, "asha's new one"},
			{"issued in a period", soon, token.Filter{From: hour(-5), To: hour(0)}, "long expired"},
			{"of an unknown user", soon, token.Filter{Subject: "app:nobody"}, ""},
		} {
			if got := list(c.now, c.f); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
		mustAlter(t, s, access.Change{Kind: access.RevokeAll}, hour(0).Add(6*time.Minute))
		if got := list(soon, token.Filter{State: token.StateActive}); got != "" {
			t.Errorf("after all were revoked: %q", got)
		}
	})
}

func TestInvalidGrantQueriesAreRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		r := register(s, accessBegin)
		list := func(f token.Filter, cursor string, limit int) error {
			_, err := r.List(t.Context(), f, cursor, limit)
			return err
		}
		for want, err := range map[string]error{
			"invalid_cursor": errors.Join(list(token.Filter{}, "zzz", 10), list(token.Filter{}, "MTIzIGdyXzE", 10)),
			"invalid_limit":  errors.Join(list(token.Filter{}, "", 0), list(token.Filter{}, "", token.MaxPage+1)),
			"invalid_state":  list(token.Filter{State: "dead"}, "", 10),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		for _, unknown := range []string{"", "gr_1", "gr_\x00", id.New("gr"), id.New("pf")} {
			if _, err := r.Grant(t.Context(), unknown); !errors.Is(err, token.ErrNoGrant) {
				t.Errorf("%q: got %v", unknown, err)
			}
		}
	})
}

// manyGrants inserts n grants of a thousand users, one every second.
const manyGrants = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	INSERT INTO grants (id, subject, mode, issued_ms, expires_ms, vendor_request_id)
	SELECT 'gr_00000000' || CAST(CAST(100000000000000000 AS BIGINT) + i AS TEXT), 'app:' || CAST(i %% 1000 AS TEXT), 'direct',
	CAST(%d AS BIGINT) + i * 1000, CAST(%d AS BIGINT) + i * 1000, 'req' FROM n`

// Not parallel: it measures the heap of the whole program.
func TestListingAHundredThousandGrantsNeedsLittleMemory(t *testing.T) {
	for name, n := range map[string]int{"postgres": 100_000, "sqlite": 100_000 / sqliteRaceDivisor} {
		newURL := map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres}[name]
		t.Run(name, func(t *testing.T) {
			url := newURL(t)
			s := storetest.Open(t, url, storetest.NewBox(t))
			ms := accessBegin.UnixMilli()
			execute(t, url, fmt.Sprintf(manyGrants, n, ms, ms+3_600_000))
			now := accessBegin.Add(time.Duration(n) * time.Second)
			mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "app:7"}, now)
			r := register(s, now)

			seen, most, before := 0, uint64(0), heap()
			last := token.GrantInfo{Grant: token.Grant{ID: "gr_z"}}
			for cursor := ""; ; {
				page, err := r.List(t.Context(), token.Filter{}, cursor, token.MaxPage)
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range page.Grants {
					if k.ID >= last.ID {
						t.Fatalf("%s comes after %s", k.ID, last.ID)
					}
					last = k
					seen++
				}
				if seen%(50*token.MaxPage) == 0 {
					most = max(most, heap())
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if seen != n {
				t.Errorf("%d grants were listed, want %d", seen, n)
			}
			if grown := int64(most) - int64(before); grown > 4<<20 { //nolint:gosec // bytes of a heap
				t.Errorf("the heap grew by %d bytes", grown)
			}
			for state, want := range map[token.State]int{token.StateActive: 200, token.StateRevoked: 3, token.StateExpired: 200} {
				page, err := r.List(t.Context(), token.Filter{State: state}, "", token.MaxPage)
				if err != nil || len(page.Grants) != want {
					t.Errorf("%s: got %d, %v", state, len(page.Grants), err)
				}
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// execute runs a statement in the database at url without the store.
func execute(t *testing.T, url, statement string) {
	t.Helper()
	if _, err := storetest.SQL(t, url).ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestGrantsAreFoundByTokenHash(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		record := func(subject, hash string, at time.Time) string {
			g := token.Grant{
				ID: id.New("gr"), Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour), TokenHash: []byte(hash),
			}
			if hash == "" { // older than token hashes
				g.TokenHash = nil
			}
			if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), at, subject, audit.TokenMint, subject, g.ID)); err != nil {
				t.Fatal(err)
			}
			return g.ID
		}
		find := func(hash []byte, now time.Time) (found []string) {
			list, err := s.FindByTokenHash(t.Context(), hash, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range list {
				found = append(found, k.ID+" "+string(k.State))
			}
			return found
		}
		one := record("app:asha", "hash 1", accessBegin)
		record("app:asha", "", accessBegin)
		record("app:rohan", "", accessBegin)
		record("app:rohan", "hash 2", accessBegin.Add(-76*time.Minute)) // expired sixteen minutes ago
		late := record("app:rohan", "hash 2", accessBegin.Add(-74*time.Minute))
		first := record("app:rohan", "hash 2", accessBegin)
		again := record("app:kabir", "hash 2", accessBegin.Add(time.Minute)) // the vendor returned the same token again
		mustAlter(t, s, access.Change{Kind: access.RevokeUser, Subject: "app:rohan"}, accessBegin.Add(time.Minute))

		for hash, want := range map[string][]string{
			"hash 1": {one + " active"}, "hash 2": {again + " active", first + " revoked", late + " expired"},
		} {
			if got := find([]byte(hash), accessBegin.Add(time.Minute-1)); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", hash, got, want)
			}
		}
		for _, hash := range [][]byte{nil, {}, []byte("hash"), []byte("hash 11")} {
			if got := find(hash, accessBegin); len(got) != 0 {
				t.Errorf("%q: got %q", hash, got)
			}
		}
	})
}
