package privacy_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/privacy"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// sweeper notes what is to be deleted, and fails when it is told to.
type sweeper struct {
	portfolios, grants []time.Time
	fails              bool
}

func (s *sweeper) ExpirePortfolios(_ context.Context, until, _ time.Time) (int, error) {
	s.portfolios = append(s.portfolios, until)
	if s.fails {
		return 1, errors.New("the database is gone")
	}
	return 1, nil
}

func (s *sweeper) ExpireGrants(_ context.Context, until time.Time) (int, error) {
	s.grants = append(s.grants, until)
	return 1, nil
}

// clock is a time that is moved by hand.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return begin.Add(time.Duration(c.ahead.Load())) }

func retention(db *store.DB, swept *sweeper, c *clock) *privacy.Retention {
	return &privacy.Retention{
		Expirer: swept, Chores: db, Portfolios: 72 * time.Hour, Grants: 48 * time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: c.now,
	}
}

func TestWhatIsOldIsDeletedOnceADay(t *testing.T) {
	t.Parallel()
	var swept sweeper
	var c clock
	r := retention(storetest.New(t), &swept, &c)
	for hour := range 50 {
		c.ahead.Store(int64(time.Duration(hour) * time.Hour))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(swept.portfolios) != 3 || len(swept.grants) != 3 {
		t.Fatalf("swept at %v and %v", swept.portfolios, swept.grants)
	}
	if !swept.portfolios[0].Equal(begin.Add(-72*time.Hour)) || !swept.grants[1].Equal(begin.Add(-24*time.Hour)) {
		t.Errorf("swept until %v and %v", swept.portfolios, swept.grants)
	}
}

func TestWhatIsKeptForEverIsNotLookedFor(t *testing.T) {
	t.Parallel()
	var swept sweeper
	r := retention(storetest.New(t), &swept, &clock{})
	r.Portfolios = 0
	if err := r.Run(t.Context()); err != nil || !r.Wanted() || len(swept.portfolios) != 0 || len(swept.grants) != 1 {
		t.Errorf("%v, swept %+v", err, swept)
	}
	r.Grants = 0
	if r.Wanted() {
		t.Error("there is nothing to be done, and it is wanted")
	}
}

func TestADeletionThatFailedIsTriedAgainWithinTheHour(t *testing.T) {
	t.Parallel()
	swept := sweeper{fails: true}
	var c clock
	r := retention(storetest.New(t), &swept, &c)
	if err := r.Run(t.Context()); err == nil {
		t.Error("a failure is not told")
	}
	swept.fails = false
	for range 2 {
		c.ahead.Add(int64(time.Hour))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(swept.portfolios) != 2 || len(swept.grants) != 1 {
		t.Errorf("swept %+v", swept)
	}
}

func TestOfManyReplicasOneDeletes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	var c clock
	swept := make([]sweeper, 8)
	var replicas sync.WaitGroup
	for i := range swept {
		replicas.Go(func() {
			if err := retention(db, &swept[i], &c).Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	n := 0
	for _, s := range swept {
		n += len(s.portfolios)
	}
	if n != 1 {
		t.Errorf("%d of %d did", n, len(swept))
	}
}

func TestAClockThatJumpedForYearsStopsNoDeletionForLonger(t *testing.T) {
	t.Parallel()
	var swept sweeper
	var c clock
	r := retention(storetest.New(t), &swept, &c)
	for _, ahead := range []time.Duration{10 * 365 * 24 * time.Hour, 0, 23 * time.Hour, 24 * time.Hour} {
		c.ahead.Store(int64(ahead))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(swept.portfolios) != 3 {
		t.Errorf("swept at %v", swept.portfolios)
	}
}
