package usage_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"casbroker/internal/usage"
)

// begin is the initial time of every test clock: a Monday, 09:30:20.
var begin = time.Date(2026, 4, 6, 9, 30, 20, 0, time.UTC)

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: begin} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// flaky is a Store that can be down.
type flaky struct {
	usage.Store
	mu   sync.Mutex
	down bool
}

func (f *flaky) AddCounts(ctx context.Context, counts []usage.Count) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return errors.New("the database is down")
	}
	return f.Store.AddCounts(ctx, counts)
}

func (f *flaky) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// stats returns the Stats, and fails the test on an error.
func stats(t *testing.T, db usage.Store, c *clock, step usage.Step, from, to time.Time) usage.Stats {
	t.Helper()
	s := &usage.Service{Store: db, Now: c.now}
	got, err := s.Stats(t.Context(), step, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
