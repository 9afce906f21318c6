package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// summaries returns a line "kind|subject|reason|until|actor" for each change.
func summaries(list []access.Change) (lines []string) {
	for _, c := range list {
		until := "-"
		if !c.Until.IsZero() {
			until = c.Until.Sub(begin).String()
		}
		lines = append(lines, strings.Join([]string{string(c.Kind), c.Subject, c.Reason, until, c.Actor}, "|"))
	}
	return lines
}

func TestHistoryKeepsReasonAndEndOfLiftedBlocks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r, ctx := loaded(t, db, &clock{}), t.Context()
		user := auth.Principal{Subject: asha, Roles: auth.RoleUser}
		for _, do := range []func() (access.Result, error){
			func() (access.Result, error) {
				return r.Block(ctx, operator, asha, "stolen phone", begin.Add(time.Hour))
			},
			func() (access.Result, error) { return r.SignOut(ctx, user, "") }, // left out: made by asha
			func() (access.Result, error) { return r.Block(ctx, operator, asha, "", time.Time{}) },
			func() (access.Result, error) { return r.Block(ctx, operator, rohan, "not about asha", time.Time{}) },
			func() (access.Result, error) { return r.Unblock(ctx, operator, asha) },
			func() (access.Result, error) { return r.RevokeAll(ctx, operator) },
			func() (access.Result, error) { return r.RevokeUser(ctx, operator, asha) },
			func() (access.Result, error) { return r.SignOut(ctx, user, "") },
		} {
			if _, err := do(); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			"revoke_user|app:asha||-|admin:meera", "revoke_all|||-|admin:meera", "unblock|app:asha||-|admin:meera",
			"block|app:asha||-|admin:meera", "block|app:asha|stolen phone|1h0m0s|admin:meera",
		}
		for limit, want := range map[int][]string{20: want, 5: want, 2: want[:2]} {
			if list, err := r.History(ctx, asha, limit); err != nil || !slices.Equal(summaries(list), want) {
				t.Errorf("limit %d: got %q, %v", limit, summaries(list), err)
			}
		}
		if list, err := r.History(ctx, "app:unknown", 20); err != nil || !slices.Equal(summaries(list), want[1:2]) {
			t.Errorf("unknown user: got %q, %v", summaries(list), err)
		}
		if _, err := r.History(ctx, "", 20); err == nil || !strings.HasPrefix(err.Error(), "invalid_subject") {
			t.Errorf("no subject: got %v, want invalid_subject", err)
		}
	})
}

func TestHistoryContainsBlocksThatUsersPutOnThemselves(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		boss := auth.Principal{Subject: "app:boss", Roles: auth.RoleUser | auth.RoleAdmin}
		if _, err := r.Block(t.Context(), boss, "app:boss", "on holiday", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if list, err := r.History(t.Context(), "app:boss", 20); err != nil || len(list) != 1 || list[0].Reason != "on holiday" {
			t.Errorf("got %+v, %v, want the one block", list, err)
		}
	})
}

func TestAuditRecordOfABlockHasItsEndButNotItsReason(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		var want []string
		for until, detail := range map[time.Time]string{
			{}:                                   "until=lifted",
			begin.Add(time.Hour):                 "until=2026-04-01T11:00:00Z",
			begin.Add(1500 * time.Millisecond):   "until=2026-04-01T10:00:01.5Z",
			begin.Add(24 * time.Hour).In(indian): "until=2026-04-02T10:00:00Z",
		} {
			if _, err := r.Block(t.Context(), operator, asha, "stolen phone", until); err != nil {
				t.Fatal(err)
			}
			want = append(want, detail)
		}
		if _, err := r.Unblock(t.Context(), operator, asha); err != nil {
			t.Fatal(err)
		}
		entries, err := db.Records(t.Context(), audit.Filter{Subject: asha}, audit.Cursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			if strings.Contains(fmt.Sprintf("%+v", e.Record), "stolen") {
				t.Errorf("the record contains the reason: %+v", e.Record)
			}
			if e.Action == audit.UserBlock {
				got = append(got, e.Detail)
			} else if e.Detail != "" {
				t.Errorf("unexpected detail: %+v", e.Record)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("details: got %q, want %q", got, want)
		}
	})
}

// indian is a time zone other than UTC.
var indian = time.FixedZone("IST", 5*60*60+30*60)
