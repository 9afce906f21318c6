package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/httpapi"
)

func TestRecordsAreFilteredByEachField(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		subjects := []string{"demo:a/b c", "demo:🙂", "demo:it's 100%"}
		for i := range 12 {
			action := []audit.Action{audit.UserBlock, audit.AdminRead}[i%2]
			r := audit.New(context.Background(), savedAt.Add(time.Duration(i)*time.Second),
				fmt.Sprint("demo:admin", i%2), action, subjects[i%3], fmt.Sprint(i)).WithRole("admin")
			if i%4 == 0 {
				r = r.Refused("forbidden")
			}
			if err := w.db.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			sentence string
			filter   audit.Filter
			want     string
		}{
			{"all", audit.Filter{}, "[11 10 9 8 7 6 5 4 3 2 1 0]"},
			{"of a subject", audit.Filter{Subject: "demo:🙂"}, "[10 7 4 1]"},
			{"of a subject with a slash", audit.Filter{Subject: "demo:a/b c"}, "[9 6 3 0]"},
			{"of a subject with a quote", audit.Filter{Subject: "demo:it's 100%"}, "[11 8 5 2]"},
			{"of an unknown user", audit.Filter{Subject: "demo:"}, "[]"},
			{"of an actor", audit.Filter{Actor: "demo:admin1"}, "[11 9 7 5 3 1]"},
			{"of an action", audit.Filter{Action: audit.UserBlock}, "[10 8 6 4 2 0]"},
			{"of any other action", audit.Filter{Without: []audit.Action{audit.AdminRead}}, "[10 8 6 4 2 0]"},
			{"of an action and not of it", audit.Filter{Action: audit.UserBlock, Without: []audit.Action{audit.UserBlock}}, "[]"},
			{"with an outcome", audit.Filter{Outcome: audit.Refused}, "[8 4 0]"},
			{"since an instant", audit.Filter{Since: savedAt.Add(9 * time.Second)}, "[11 10 9]"},
			{"before an instant", audit.Filter{Until: savedAt.Add(2 * time.Second)}, "[1 0]"},
			{"with all filters", audit.Filter{
				Subject: "demo:🙂", Actor: "demo:admin0", Action: audit.UserBlock, Outcome: audit.Refused,
				Since: savedAt, Until: savedAt.Add(time.Hour),
			}, "[4]"},
		} {
			objects := []string{}
			for cursor := ""; ; {
				page, err := w.Find(t.Context(), c.filter, cursor, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					objects = append(objects, e.Object)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if fmt.Sprint(objects) != c.want {
				t.Errorf("%s: %v, want %s", c.sentence, objects, c.want)
			}
		}
	})
}

func TestPagesOfRecordsAreStableWhileRecordsAreAppended(t *testing.T) {
	t.Parallel()
	eachTrail(t, func(t *testing.T, w trail) {
		w.append(t, w.db, 5) // at the same instant
		first, err := w.Find(t.Context(), audit.Filter{}, "", 2)
		if err != nil || len(first.Entries) != 2 {
			t.Fatal(first, err)
		}
		later := entry("demo:later")
		later.At = savedAt.Add(time.Second)
		if err := w.db.Append(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		second, err := w.Find(t.Context(), audit.Filter{}, first.Next, 3)
		if err != nil || len(second.Entries) != 3 || second.Next != "" {
			t.Fatalf("got %+v %v", second, err)
		}
		seen := map[string]bool{}
		for _, e := range append(first.Entries, second.Entries...) {
			if seen[e.ID] = true; e.Subject == "demo:later" {
				t.Error("a page changed")
			}
		}
		if len(seen) != 5 {
			t.Errorf("%d of 5 records", len(seen))
		}
		for _, cursor := range []string{"x", "MQ", "=", first.Next + "A", first.Next[1:]} {
			if _, err := w.Find(t.Context(), audit.Filter{}, cursor, 2); !errors.Is(err, httpapi.ErrCursor) {
				t.Errorf("%q: got %v", cursor, err)
			}
		}
		for _, limit := range []int{-1, 0, audit.MaxLimit + 1} {
			if _, err := w.Find(t.Context(), audit.Filter{}, "", limit); !errors.Is(err, httpapi.ErrLimit) {
				t.Errorf("%d: got %v", limit, err)
			}
		}
	})
}
