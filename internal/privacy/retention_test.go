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

// expirer records its calls and fails on demand.
type expirer struct {
	portfolios, grants, calls []time.Time
	fails                     bool
}

func (s *expirer) ExpirePortfolios(_ context.Context, until, _ time.Time) (int, error) {
	s.portfolios = append(s.portfolios, until)
	if s.fails {
		return 1, errors.New("the database is gone")
	}
	return 1, nil
}

func (s *expirer) ExpireGrants(_ context.Context, until time.Time) (int, error) {
	s.grants = append(s.grants, until)
	return 1, nil
}

func (s *expirer) ExpireCalls(_ context.Context, until time.Time) (int, error) {
	s.calls = append(s.calls, until)
	return 1, nil
}

func (s *expirer) ExpireEvents(context.Context, time.Time) (int, error) { return 0, nil }
func (s *expirer) ExpireLinks(context.Context, time.Time) (int, error)  { return 0, nil }

func (s *expirer) ExpireRecords(context.Context, time.Time, time.Time) (int, error) { return 0, nil }

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return begin.Add(time.Duration(c.ahead.Load())) }

func retention(db *store.DB, calls *expirer, c *clock) *privacy.Retention {
	return &privacy.Retention{
		Expirer: calls, Jobs: db, Portfolios: 72 * time.Hour, Grants: 48 * time.Hour, Calls: 24 * time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: c.now,
	}
}

func TestOldDataIsDeletedOnceADay(t *testing.T) {
	t.Parallel()
	var calls expirer
	var c clock
	r := retention(storetest.New(t), &calls, &c)
	for hour := range 50 {
		c.ahead.Store(int64(time.Duration(hour) * time.Hour))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(calls.portfolios) != 3 || len(calls.grants) != 3 || len(calls.calls) != 3 {
		t.Fatalf("got calls with %v, %v and %v, want 3 each", calls.portfolios, calls.grants, calls.calls)
	}
	if !calls.portfolios[0].Equal(begin.Add(-72*time.Hour)) || !calls.grants[1].Equal(begin.Add(-24*time.Hour)) {
		t.Errorf("got calls with %v and %v, want 72h and 24h before the start", calls.portfolios, calls.grants)
	}
}

func TestDataWithoutARetentionPeriodIsNotDeleted(t *testing.T) {
	t.Parallel()
	var calls expirer
	r := retention(storetest.New(t), &calls, &clock{})
	r.Portfolios = 0
	if err := r.Run(t.Context()); err != nil || !r.Enabled() || len(calls.portfolios) != 0 || len(calls.grants) != 1 {
		t.Errorf("got %v and calls %+v, want 0 for portfolios and 1 for grants", err, calls)
	}
	r.Grants, r.Calls = 0, 0
	if r.Enabled() {
		t.Error("Enabled without a retention period: got true, want false")
	}
}

func TestFailedDeletionIsRetriedWithinTheHour(t *testing.T) {
	t.Parallel()
	calls := expirer{fails: true}
	var c clock
	r := retention(storetest.New(t), &calls, &c)
	if err := r.Run(t.Context()); err == nil {
		t.Error("got no error, want that of the database")
	}
	calls.fails = false
	for range 2 {
		c.ahead.Add(int64(time.Hour))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(calls.portfolios) != 2 || len(calls.grants) != 1 {
		t.Errorf("got calls %+v, want 2 for portfolios and 1 for grants", calls)
	}
}

func TestOneOfManyReplicasDeletes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	var c clock
	calls := make([]expirer, 8)
	var replicas sync.WaitGroup
	for i := range calls {
		replicas.Go(func() {
			if err := retention(db, &calls[i], &c).Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	n := 0
	for _, s := range calls {
		n += len(s.portfolios)
	}
	if n != 1 {
		t.Errorf("%d of %d replicas deleted, want 1", n, len(calls))
	}
}

func TestDeletionContinuesAfterAClockJump(t *testing.T) {
	t.Parallel()
	var calls expirer
	var c clock
	r := retention(storetest.New(t), &calls, &c)
	for _, ahead := range []time.Duration{10 * 365 * 24 * time.Hour, 0, 23 * time.Hour, 24 * time.Hour} {
		c.ahead.Store(int64(ahead))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(calls.portfolios) != 3 {
		t.Errorf("calls at %v", calls.portfolios)
	}
}
