package usage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"casbroker/internal/testkit/storetest"
	"casbroker/internal/usage"
)

// aged returns a count for each step and each age before begin.
func aged(ages ...time.Duration) (list []usage.Count) {
	for _, step := range usage.Steps {
		for _, age := range ages {
			list = append(list, usage.Count{Step: step, At: begin.Add(-age).Truncate(step.Length()), Series: usage.Minted, N: 1})
		}
	}
	return list
}

func TestCountsAreDeletedAfterTheirRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	db, now := storetest.New(t), newClock()
	if err := db.AddCounts(t.Context(), aged(0, day, 3*day, 59*day, 61*day, 3*364*day, 3*366*day)); err != nil {
		t.Fatal(err)
	}
	s := &usage.Cleanup{Store: db, Jobs: db, Now: now.now}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for step, want := range map[usage.Step]int{usage.Minute: 2, usage.Hour: 4, usage.Day: 6} {
		left, err := db.Counts(t.Context(), step, begin.AddDate(-10, 0, 0), begin.AddDate(1, 0, 0))
		if err != nil || len(left) != want {
			t.Errorf("by %s: got %d counts, %v, want %d", step, len(left), err, want)
		}
	}
}

// dropCounter is a Store that counts deletions, or fails.
type dropCounter struct {
	usage.Store
	drops int
	fails bool
}

func (c *dropCounter) DropCounts(ctx context.Context, step usage.Step, before time.Time) error {
	if c.fails {
		return errors.New("the database is down")
	}
	c.drops++
	return c.Store.DropCounts(ctx, step, before)
}

func TestOldCountsAreDeletedOnceAnHourByOneReplica(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	counter := &dropCounter{Store: db, fails: true}
	replicas := []*usage.Cleanup{{Store: counter, Jobs: db, Now: now.now}, {Store: counter, Jobs: db, Now: now.now}}
	if err := replicas[0].Run(t.Context()); err == nil {
		t.Error("got no error")
	}
	counter.fails = false
	for _, wait := range []time.Duration{0, 10 * time.Minute, 59 * time.Minute, time.Minute} {
		now.move(wait)
		for _, r := range replicas {
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if counter.drops != 2*len(usage.Steps) {
		t.Errorf("got %d deletions, want %d", counter.drops, 2*len(usage.Steps))
	}
}
