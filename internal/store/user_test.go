package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/admin"
	"casbroker/internal/id"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// names returns the subjects on a page of users.
func names(t *testing.T, s *store.DB, prefix, after string, limit int) []string {
	t.Helper()
	list, err := s.FindUsers(t.Context(), admin.UserFilter{Prefix: prefix}, after, limit, accessBegin)
	if err != nil {
		t.Fatal(err)
	}
	subjects := make([]string, len(list))
	for i, u := range list {
		subjects[i] = u.Subject
	}
	return subjects
}

func TestUsersAreFoundByPrefix(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		all := []string{
			"App:Asha", "app:%", "app:%sha", "app:_sha", "app:a b", "app:a/b", "app:asha", "app:asha2", "app:É", "app:é",
			"app:\ud7ff", "app:\ue000", "app:😀", "app:\U0010ffff", "app:\U0010ffff\U0010ffff", "other:asha",
		}
		slices.Sort(all)
		for i, subject := range all {
			switch i % 3 { // a user with only grants, a block, or a portfolio
			case 0:
				mustGive(t, s, id.New("gr"), subject, accessBegin, 0)
			case 1:
				mustAlter(t, s, access.Change{Kind: access.Block, Subject: subject}, accessBegin)
			default:
				save(t, s, subject, named("Sample Fund", "2026-03-31"))
			}
		}
		for _, prefix := range []string{
			"", "a", "A", "app:", "app:a", "app:asha", "app:%", "app:_", "app:\ud7ff", "app:\U0010ffff", "app:😀",
			"app:\U0010ffff\U0010ffff", "\U0010ffff", "nobody", "app:'; --", `app:\`,
		} {
			want := slices.DeleteFunc(slices.Clone(all), func(subject string) bool { return !strings.HasPrefix(subject, prefix) })
			if got := names(t, s, prefix, "", 100); !slices.Equal(got, want) {
				t.Errorf("%q: got %q, want %q", prefix, got, want)
			}
			var paged []string
			for after := ""; ; after = paged[len(paged)-1] {
				page := names(t, s, prefix, after, 2)
				paged = append(paged, page...)
				if len(page) < 2 || len(paged) > len(all) { // the latter would never end
					break
				}
			}
			if !slices.Equal(paged, want) {
				t.Errorf("%q page by page: got %q, want %q", prefix, paged, want)
			}
		}
		if got := names(t, s, "app:asha", "app:a", 1); !slices.Equal(got, []string{"app:asha"}) {
			t.Errorf("after a subject before the prefix: %q", got)
		}
		if got := names(t, s, "app:asha", "app:z", 1); len(got) != 0 {
			t.Errorf("after a subject past the prefix: %q", got)
		}
	})
}

func TestUserRowsHaveTheRightFigures(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		give := func(subject string, at time.Time, version int64) string {
			grantID := id.New("gr")
			mustGive(t, s, grantID, subject, at, version)
			return grantID
		}
		give("app:asha", accessBegin.Add(-2*time.Hour), 0)
		ended := give("app:asha", accessBegin.Add(-30*time.Minute), 0)
		give("app:asha", accessBegin.Add(-20*time.Minute), 0)
		give("app:asha", accessBegin.Add(-10*time.Minute), 0)
		mustAlter(t, s, access.Change{Kind: access.RevokeGrant, GrantID: ended}, accessBegin.Add(-time.Minute))
		give("app:rohan", accessBegin.Add(-time.Minute), 0)
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "app:rohan"}, accessBegin)
		over := access.Change{Kind: access.Block, Subject: "app:zoya", Until: accessBegin}
		mustAlter(t, s, over, accessBegin.Add(-time.Hour))
		save(t, s, "app:zoya", named("Sample Fund", "2026-03-31"))

		list, err := s.FindUsers(t.Context(), admin.UserFilter{Prefix: "app:"}, "", 10, accessBegin)
		want := []admin.UserRow{
			{Subject: "app:asha", LiveTokens: 2, LastTokenAt: accessBegin.Add(-10 * time.Minute)},
			{Subject: "app:rohan", Blocked: true, LastTokenAt: accessBegin.Add(-time.Minute)},
			{Subject: "app:zoya", Portfolios: 1},
		}
		if err != nil || !slices.Equal(list, want) {
			t.Errorf("got  %+v (%v),\nwant %+v", list, err, want)
		}
		wantLive := func(now time.Time, want int) {
			t.Helper()
			if n, err := s.LiveGrants(t.Context(), now); err != nil || n != want {
				t.Errorf("at %s %d tokens are active (%v), want %d", now.Format(time.TimeOnly), n, err, want)
			}
		}
		wantLive(accessBegin, 2)
		wantLive(accessBegin.Add(45*time.Minute), 1)
		mustAlter(t, s, access.Change{Kind: access.RevokeAll}, accessBegin.Add(time.Minute))
		wantLive(accessBegin.Add(45*time.Minute), 0)
	})
}

func TestBlockedUsersAreListed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		block := func(subject string, until time.Time) {
			mustAlter(t, s, access.Change{Kind: access.Block, Subject: subject, Until: until}, accessBegin.Add(-time.Hour))
		}
		mustGive(t, s, id.New("gr"), "app:asha", accessBegin, 0) // never blocked
		mustGive(t, s, id.New("gr"), "app:meera", accessBegin.Add(-2*time.Minute), 0)
		block("app:over", accessBegin)
		block("app:lifted", time.Time{})
		mustAlter(t, s, access.Change{Kind: access.Unblock, Subject: "app:lifted"}, accessBegin.Add(-time.Minute))
		blocked := []string{"App:Zoya", "app:Zoya", "app:a/b", "app:meera", "app:é", "app:😀", "other:asha"}
		for i, subject := range blocked {
			block(subject, []time.Time{{}, accessBegin.Add(time.Millisecond)}[i%2])
		}
		for _, prefix := range []string{"", "app:", "app:m", "app:asha", "app:over", "nobody"} {
			want := slices.DeleteFunc(slices.Clone(blocked), func(subject string) bool { return !strings.HasPrefix(subject, prefix) })
			var found []string
			for after := ""; ; after = found[len(found)-1] {
				list, err := s.FindUsers(t.Context(), admin.UserFilter{Prefix: prefix, Blocked: true}, after, 2, accessBegin)
				if err != nil {
					t.Fatal(err)
				}
				for _, u := range list {
					found = append(found, u.Subject)
					if !u.Blocked || u.LiveTokens != 0 || (u.Subject == "app:meera") == u.LastTokenAt.IsZero() {
						t.Errorf("%q has %+v", u.Subject, u)
					}
				}
				if len(list) < 2 {
					break
				}
			}
			if !slices.Equal(found, want) {
				t.Errorf("%q: got %q, want %q", prefix, found, want)
			}
		}
	})
}

func TestFindingUsersUsesIndexesWithManyGrants(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]struct {
		grants           int // SQLite plans without them, and is slow under the race detector
		prepare, explain string
		wrong            *regexp.Regexp // matches a step that reads a whole table, or a thousand rows of it
	}{
		"sqlite":   {10_000, "SELECT 1", "EXPLAIN QUERY PLAN ", regexp.MustCompile(`^SCAN (grants|portfolios|blocks|access_changes|[gpbc]$)`)},
		"postgres": {100_000, "VACUUM ANALYZE grants", "EXPLAIN ANALYZE ", regexp.MustCompile(`Seq Scan on grants|rows=\d{4,}(\.\d+)? loops`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": services.Postgres}[name](t)
			s := storetest.Open(t, url, storetest.NewBox(t))
			ms := accessBegin.Add(-48 * time.Hour).UnixMilli()
			execute(t, url, fmt.Sprintf(manyGrants, how.grants, ms, ms+3_600_000))
			execute(t, url, how.prepare)
			if got := names(t, s, "app:99", "", 200); len(got) != 11 { // app:99, app:990, … app:999
				t.Errorf("found %q", got)
			}
			query, args := store.UsersQuery(admin.UserFilter{Prefix: "app:99"}, "", 200, accessBegin)
			for _, step := range plan(t, url, how.explain+query, args...) {
				if how.wrong.MatchString(step) {
					t.Errorf("reads too much: %s", step)
				}
			}
		})
	}
}

// plan returns the steps that an EXPLAIN with args reports.
func plan(t *testing.T, url, query string, args ...any) (steps []string) {
	t.Helper()
	rows, err := storetest.SQL(t, url).QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		step := new(string)
		cells[len(cells)-1] = step // SQLite has numbers in front
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, *step)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatalf("no plan: %v", err)
	}
	return steps
}
