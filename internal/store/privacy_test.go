package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/privacy"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// grantTo records a grant of subject that expires an hour after at.
func grantTo(t *testing.T, s *store.DB, subject, id string, at time.Time) {
	t.Helper()
	g := token.Grant{ID: id, Subject: subject, Mode: token.ModeDirect, IssuedAt: at, ExpiresAt: at.Add(time.Hour)}
	if err := s.RecordGrant(t.Context(), g, audit.New(t.Context(), at, subject, audit.TokenMint, subject, id)); err != nil {
		t.Fatal(err)
	}
}

// erase erases subject and returns what was deleted.
func erase(t *testing.T, s *store.DB, subject string) privacy.EraseResult {
	t.Helper()
	before, err := s.AccessVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := audit.New(t.Context(), savedAt.Add(time.Hour), subject, audit.DataErase, subject, "")
	erased, err := s.Erase(t.Context(), subject, r)
	if err != nil {
		t.Fatal(err)
	}
	if erased.AccessVersion != before+1 {
		t.Errorf("got access version %d, want %d", erased.AccessVersion, before+1)
	}
	erased.AccessVersion = 0
	return erased
}

func TestErasureRevokesTokensOfItsUserOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		before, err := s.AccessVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		grantTo(t, s, "demo:asha", "gr_1", savedAt)
		erase(t, s, "demo:asha")
		changes, err := s.AccessChanges(t.Context(), before, all)
		if err != nil || len(changes) != 1 || changes[0].Kind != access.RevokeUser || changes[0].Subject != "demo:asha" {
			t.Fatalf("got %+v, %v, want the revocation of the user", changes, err)
		}
		late := func(subject string) error { // its mint began before the erasure
			g := token.Grant{ID: "gr_of_" + subject, Subject: subject, IssuedAt: savedAt, ExpiresAt: savedAt.Add(time.Hour), AccessVersion: before}
			return s.RecordGrant(t.Context(), g, audit.New(t.Context(), savedAt, subject, audit.TokenMint, subject, g.ID))
		}
		if err := late("demo:asha"); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("got %v, want ErrRevoked", err)
		}
		if err := late("demo:ravi"); err != nil {
			t.Errorf("another user: got %v", err)
		}
	})
}

func TestErasureLeavesOnlyTheAuditTrailOfAUser(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		c := claim("k", "body", 0)
		mustClaim(t, s, c)
		if _, err := saveUnder(t, s, c); err != nil {
			t.Fatal(err)
		}
		save(t, s, "demo:asha", named("Second", "2026-03-31"))
		grantTo(t, s, "demo:asha", "gr_1", savedAt)
		capture(t, s, "demo:asha", named("Third", "2026-03-31"))
		capture(t, s, "demo:ravi", named("Third", "2026-03-31"))
		save(t, s, "demo:ravi", named("Fund", "2026-03-31"))
		grantTo(t, s, "demo:ravi", "gr_2", savedAt)

		if got := erase(t, s, "demo:asha"); got != (privacy.EraseResult{Portfolios: 2, Grants: 1}) {
			t.Errorf("erased %+v", got)
		}
		for table, want := range map[string]int{"portfolios": 1, "payloads": 1, "packed_holdings": 1, "packed_transactions": 1, "grants": 1, "captures": 1, "audit": 6} {
			if got := rows(table); got != want {
				t.Errorf("%d rows in %s, want %d", got, table, want)
			}
		}
		if a, err := s.ClaimKey(t.Context(), claim("k", "body", time.Second)); !errors.Is(err, portfolio.ErrKeyOfDeleted) {
			t.Errorf("the answer to an erased save: %+v, %v", a, err)
		}
		trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, all)
		if err != nil || len(trail) != 4 || trail[3].Action != audit.DataErase {
			t.Errorf("trail %+v, %v", trail, err)
		}
		if again := erase(t, s, "demo:asha"); again != (privacy.EraseResult{}) {
			t.Errorf("erased again: %+v", again)
		}
		if a := save(t, s, "demo:asha", named("Second", "2026-03-31")); !a.Created {
			t.Error("an erased statement cannot be saved again")
		}
	})
}

func TestErasureDeletesReasonsOfBlocksExceptOneInForce(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		now := savedAt.Add(time.Hour) // when erase runs
		block := func(subject, reason string, until, at time.Time) {
			mustAlter(t, s, access.Change{Kind: access.Block, Subject: subject, Reason: reason, Until: until}, at)
		}
		block("demo:asha", "lost her phone", time.Time{}, savedAt)
		mustAlter(t, s, access.Change{Kind: access.Unblock, Subject: "demo:asha"}, savedAt)
		block("demo:asha", "lost it again", savedAt.Add(time.Minute), savedAt) // has ended
		block("demo:ravi", "shares his phone", now.Add(time.Millisecond), savedAt)
		block("demo:meera", "is on leave", now, savedAt) // ends at that instant
		for _, subject := range []string{"demo:asha", "demo:ravi", "demo:meera"} {
			before, err := s.AccessHistory(t.Context(), subject, 10)
			if err != nil {
				t.Fatal(err)
			}
			erase(t, s, subject)
			after, err := s.AccessHistory(t.Context(), subject, 10)
			if err != nil {
				t.Fatal(err)
			}
			for i := range before {
				before[i].Reason = ""
			}
			if len(before) == 0 || !slices.Equal(after, before) {
				t.Errorf("remaining for %s: %+v", subject, after)
			}
		}
		if b, err := s.ActiveBlock(t.Context(), "demo:ravi", now); err != nil || b == nil || b.Reason != "shares his phone" {
			t.Errorf("the block in force is %+v, %v", b, err)
		}
		if n := rows("blocks"); n != 1 {
			t.Errorf("%d blocks remain", n)
		}
	})
}

func TestErasureKeepsTheReasonsOfOtherUsersBlocks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		mustAlter(t, s, access.Change{Kind: access.Block, Subject: "demo:ravi", Reason: "shares his phone"}, savedAt)
		mustAlter(t, s, access.Change{Kind: access.Unblock, Subject: "demo:ravi"}, savedAt)
		erase(t, s, "demo:asha")
		list, err := s.AccessHistory(t.Context(), "demo:ravi", 10)
		if err != nil || len(list) != 2 || list[1].Reason != "shares his phone" {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

func TestSaveRacingAnErasureIsEntirelyBeforeOrAfterIt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		for round := range 5 {
			var running sync.WaitGroup
			for i := range 6 {
				one := saving(t, "demo:asha", named(fmt.Sprint("Fund ", i), "2026-03-31"))
				running.Go(func() {
					if _, err := s.SavePortfolio(t.Context(), one); err != nil {
						t.Errorf("save: %v", err)
					}
				})
			}
			running.Go(func() { erase(t, s, "demo:asha") })
			running.Wait()
			list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
			if err != nil {
				t.Fatal(err)
			}
			active := 0
			for _, p := range list {
				if p.Active {
					active++
				}
				if _, holdings, err := s.Portfolio(t.Context(), "demo:asha", p.ID, 0, all); err != nil || len(holdings) != p.StoredRows {
					t.Errorf("round %d: %d of %d rows, %v", round, len(holdings), p.StoredRows, err)
				}
				if _, err := s.Payload(t.Context(), "demo:asha", p.ID); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			if active != min(len(list), 1) {
				t.Errorf("round %d: %d of %d are active", round, active, len(list))
			}
			erase(t, s, "demo:asha")
		}
	})
}

func TestGrantsAndTrailAreReadPageByPageOldestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		var want []string
		for i := range 5 {
			id := fmt.Sprint("gr_", i)
			grantTo(t, s, "demo:asha", id, savedAt.Add(time.Duration(i/2)*time.Second)) // some at the same instant
			grantTo(t, s, "demo:ravi", "gr_other_"+id, savedAt)
			want = append(want, id)
		}
		var grants, objects []string
		for after := (token.Grant{}); ; {
			page, err := s.Grants(t.Context(), "demo:asha", after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, g := range page {
				grants = append(grants, g.ID)
				if g.Subject != "demo:asha" || g.Mode != token.ModeDirect || g.ExpiresAt.Sub(g.IssuedAt) != time.Hour {
					t.Errorf("got %+v", g)
				}
				after = g
			}
		}
		for after := (audit.Record{}); ; {
			page, err := s.Trail(t.Context(), "demo:asha", after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				objects = append(objects, r.Object)
				after = r
			}
		}
		if fmt.Sprint(grants) != fmt.Sprint(want) {
			t.Errorf("grants %v", grants)
		}
		if len(objects) != 5 || objects[4] != "gr_4" {
			t.Errorf("trail %v", objects)
		}
	})
}
