package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// saveAt saves a statement at the instant at.
func saveAt(t *testing.T, s *store.DB, subject string, payload []byte, at time.Time) portfolio.SaveResult {
	t.Helper()
	one := saving(t, subject, payload)
	one.Portfolio.SavedAt = at
	a, err := s.SavePortfolio(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestExpiredPortfoliosAreDeletedAndTheNextBecomesActive(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		old, young := savedAt, savedAt.Add(48*time.Hour)
		later := saveAt(t, s, "demo:asha", named("Fund", "2026-03-31"), old)
		earlier := saveAt(t, s, "demo:asha", named("Fund", "2026-02-28"), young)
		const others = 45 // more than one batch
		for i := range others {
			saveAt(t, s, fmt.Sprint("demo:", i%7), named(fmt.Sprint("Fund ", i), "2026-03-31"), old)
		}
		now := old.Add(24 * time.Hour)
		if n, err := s.ExpirePortfolios(t.Context(), old.Add(-time.Millisecond), now); err != nil || n != 0 {
			t.Errorf("too early, %d were deleted: %v", n, err)
		}
		if n, err := s.ExpirePortfolios(t.Context(), old, now); err != nil || n != others+1 {
			t.Errorf("%d were deleted: %v", n, err)
		}
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != 1 || list[0].ID != earlier.PortfolioID || !list[0].Active {
			t.Errorf("remaining: %+v, %v", list, err)
		}
		trail, err := s.Trail(t.Context(), "demo:asha", audit.Record{}, all)
		if err != nil {
			t.Fatal(err)
		}
		last := trail[len(trail)-1]
		if last.Action != audit.PortfolioExpire || last.Actor != audit.Retention || last.Object != later.PortfolioID || !last.At.Equal(now) {
			t.Errorf("audit record %+v", last)
		}
	})
}

func TestGrantsAreDeletedAfterTheyExpired(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const many = 700 // more than one batch
		for i := range many {
			grantTo(t, s, "demo:asha", fmt.Sprintf("gr_%04d", i), savedAt)
		}
		grantTo(t, s, "demo:asha", "gr_young", savedAt.Add(time.Minute))
		if n, err := s.ExpireGrants(t.Context(), savedAt.Add(time.Hour)); err != nil || n != many {
			t.Errorf("%d were deleted: %v", n, err)
		}
	})
}

func TestOneReplicaHasAJobUntilItIsFinishedOrItsLeaseEnds(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		replicas := openTwice(t, url)
		// race lets all replicas claim the job at now and returns how many got it.
		race := func(now time.Time) int32 {
			t.Helper()
			var got atomic.Int32
			var asking sync.WaitGroup
			for i := range 10 {
				asking.Go(func() {
					mine, err := replicas[i%2].ClaimJob(t.Context(), "sweep", now, now.Add(time.Minute), now.Add(25*time.Hour))
					if err != nil {
						t.Error(err)
					}
					if mine {
						got.Add(1)
					}
				})
			}
			asking.Wait()
			return got.Load()
		}
		now := savedAt
		if n := race(now); n != 1 {
			t.Errorf("a job that never ran: %d got it, want 1", n)
		}
		if n := race(now.Add(59 * time.Second)); n != 0 {
			t.Errorf("within the lease: %d got it, want 0", n)
		}
		now = now.Add(time.Minute) // the holder died
		if n := race(now); n != 1 {
			t.Errorf("after the lease: %d got it, want 1", n)
		}
		lost := now
		if err := replicas[0].FinishJob(t.Context(), "sweep", lost, now.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := race(now.Add(time.Minute)); n != 1 {
			t.Errorf("finished by a replica that had lost it: %d got it, want 0", n)
		}
		lease, next := now.Add(2*time.Minute), now.Add(24*time.Hour)
		if err := replicas[1].FinishJob(t.Context(), "sweep", lease, next); err != nil {
			t.Fatal(err)
		}
		if n := race(next.Add(-time.Millisecond)); n != 0 {
			t.Errorf("finished and not due: %d got it, want 0", n)
		}
		if n := race(next); n != 1 {
			t.Errorf("due again: %d got it, want 1", n)
		}
	})
}

func TestJobThatAWrongClockScheduledYearsAheadIsDue(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		const day = 24 * time.Hour
		ask := func(now time.Time) bool {
			t.Helper()
			mine, err := s.ClaimJob(t.Context(), "sweep", now, now.Add(time.Minute), now.Add(day+time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return mine
		}
		wrong := savedAt.Add(3 * 365 * day)
		if !ask(wrong) {
			t.Fatal("the first claim fails")
		}
		if err := s.FinishJob(t.Context(), "sweep", wrong.Add(time.Minute), wrong.Add(day)); err != nil {
			t.Fatal(err)
		}
		if !ask(savedAt) {
			t.Error("the job waits for as long as the clock was wrong")
		}
		if err := s.FinishJob(t.Context(), "sweep", savedAt.Add(time.Minute), savedAt.Add(day)); err != nil {
			t.Fatal(err)
		}
		if ask(savedAt.Add(-time.Hour)) || ask(savedAt.Add(day-time.Millisecond)) || !ask(savedAt.Add(day)) {
			t.Error("after that the job does not run once a day")
		}
	})
}
