package usage_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"casbroker/internal/usage"
)

// begin is a Monday, 09:30:20.
var begin = time.Date(2026, 4, 6, 9, 30, 20, 0, time.UTC)

// clock is a time that is moved by hand.
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

// flaky is a Book that is away while it is told to be.
type flaky struct {
	usage.Book
	mu   sync.Mutex
	away bool
}

func (f *flaky) AddCounts(ctx context.Context, counts []usage.Count) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errors.New("the database is away")
	}
	return f.Book.AddCounts(ctx, counts)
}

func (f *flaky) set(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// stats asks for counts, and fails the test when there are none to be had.
func stats(t *testing.T, b usage.Book, c *clock, step usage.Step, from, to time.Time) usage.Stats {
	t.Helper()
	s := &usage.Service{Book: b, Now: c.now}
	got, err := s.Stats(t.Context(), step, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
