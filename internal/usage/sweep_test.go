package usage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"casbroker/internal/testkit/storetest"
	"casbroker/internal/usage"
)

// aged has one count of each step that began so long before begin.
func aged(ages ...time.Duration) (list []usage.Count) {
	for _, step := range usage.Steps {
		for _, age := range ages {
			list = append(list, usage.Count{Step: step, At: begin.Add(-age).Truncate(step.Length()), Series: usage.Minted, N: 1})
		}
	}
	return list
}

func TestMinutesAreKeptForDaysHoursForMonthsAndDaysForYears(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	db, now := storetest.New(t), newClock()
	if err := db.AddCounts(t.Context(), aged(0, day, 3*day, 59*day, 61*day, 3*364*day, 3*366*day)); err != nil {
		t.Fatal(err)
	}
	s := &usage.Sweep{Book: db, Chores: db, Now: now.now}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for step, want := range map[usage.Step]int{usage.Minute: 2, usage.Hour: 4, usage.Day: 6} {
		left, err := db.Counts(t.Context(), step, begin.AddDate(-10, 0, 0), begin.AddDate(1, 0, 0))
		if err != nil || len(left) != want {
			t.Errorf("by %s %d are left, want %d: %v", step, len(left), want, err)
		}
	}
}

// counting is a Book that counts how often something is deleted, and fails when it
// is told to.
type counting struct {
	usage.Book
	swept int
	fails bool
}

func (c *counting) DropCounts(ctx context.Context, step usage.Step, before time.Time) error {
	if c.fails {
		return errors.New("the database is gone")
	}
	c.swept++
	return c.Book.DropCounts(ctx, step, before)
}

func TestOldCountsAreDeletedOnceAnHourByOneReplica(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	book := &counting{Book: db, fails: true}
	replicas := []*usage.Sweep{{Book: book, Chores: db, Now: now.now}, {Book: book, Chores: db, Now: now.now}}
	if err := replicas[0].Run(t.Context()); err == nil {
		t.Error("a failure is not told")
	}
	book.fails = false
	for _, wait := range []time.Duration{0, 10 * time.Minute, 59 * time.Minute, time.Minute} {
		now.move(wait)
		for _, r := range replicas {
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if book.swept != 2*len(usage.Steps) {
		t.Errorf("swept %d times", book.swept)
	}
}
