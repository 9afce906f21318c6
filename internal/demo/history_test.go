package demo_test

import (
	"slices"
	"testing"
	"time"

	"casbroker/internal/demo"
	"casbroker/internal/usage"
)

// noon is 12:34:56 UTC of a Thursday.
var noon = time.Date(2026, 4, 9, 12, 34, 56, 0, time.UTC)

// kind is what a count is of, whenever.
type kind struct {
	series usage.Series
	label  string
}

// sums adds up the counts of step within a stretch.
func sums(list []usage.Count, step usage.Step, from time.Time, length time.Duration) map[kind]usage.Count {
	all := map[kind]usage.Count{}
	for _, c := range list {
		if c.Step != step || c.Series == usage.Invented || c.At.Before(from) || !c.At.Before(from.Add(length)) {
			continue
		}
		sum := all[kind{c.Series, c.Label}]
		sum.N += c.N
		sum.Took += c.Took
		all[kind{c.Series, c.Label}] = sum
	}
	return all
}

func TestThePastAddsUp(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	for _, c := range []struct {
		whole, part usage.Step
		from, to    time.Time
	}{
		{usage.Hour, usage.Minute, noon.Truncate(time.Hour).Add(-2 * time.Hour), noon},
		{usage.Day, usage.Hour, noon.Truncate(24*time.Hour).AddDate(0, 0, -2), noon},
	} {
		stretches := 0
		for at := c.from; at.Before(c.to); at = at.Add(c.whole.Length()) {
			whole, parts := sums(list, c.whole, at, c.whole.Length()), sums(list, c.part, at, c.whole.Length())
			if len(whole) == 0 || len(whole) != len(parts) {
				t.Fatalf("%s %v: %d series, its parts have %d", c.whole, at, len(whole), len(parts))
			}
			for k, sum := range whole {
				if parts[k] != sum {
					t.Fatalf("%s %v, %v: %v, its parts %v", c.whole, at, k, sum, parts[k])
				}
			}
			stretches++
		}
		if want := map[usage.Step]int{usage.Hour: 3, usage.Day: 3}[c.whole]; stretches != want {
			t.Errorf("looked at %d of %s", stretches, c.whole)
		}
	}
}

func TestThePastIsMarkedAsInventedAndEndsNow(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	if !slices.IsSortedFunc(list, usage.Compare) {
		t.Error("not in order")
	}
	marks := map[usage.Step]int{}
	for _, c := range list {
		if c.N < 1 || !c.At.Equal(c.At.Truncate(c.Step.Length())) || !c.At.Before(noon.Truncate(time.Minute)) {
			t.Fatalf("made up %+v", c)
		}
		if c.Series == usage.Invented {
			if marks[c.Step]++; c.N != 1 {
				t.Errorf("marked %d times: %+v", c.N, c)
			}
		}
	}
	if marks[usage.Day] != 31 || marks[usage.Hour] != 2*24+13 || marks[usage.Minute] != 2*60+34 {
		t.Errorf("marked %v", marks)
	}
}

func TestThePastIsTheSameWheneverTheDemoIsStarted(t *testing.T) {
	t.Parallel()
	first, second := demo.History(noon), demo.History(noon)
	if !slices.Equal(first, second) {
		t.Error("two starts at the same time differ")
	}
	later := demo.History(noon.Add(3 * time.Hour))
	at, hour := noon.Truncate(time.Hour).Add(-5*time.Hour), time.Hour
	for k, sum := range sums(first, usage.Hour, at, hour) {
		if got := sums(later, usage.Hour, at, hour)[k]; got != sum {
			t.Errorf("three hours later, %v was %v instead of %v", k, got, sum)
		}
	}
}

func TestThePastHasTheRhythmOfAnIndianWorkingDay(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	reused := func(step usage.Step, at time.Time) int64 {
		return sums(list, step, at, step.Length())[kind{usage.Reused, ""}].N
	}
	monday := time.Date(2026, 4, 6, 0, 0, 0, 0, time.UTC)
	morning, night := reused(usage.Hour, monday.Add(5*time.Hour)), reused(usage.Hour, monday.Add(21*time.Hour)) // 10:30 and 2:30 in India
	sunday := reused(usage.Day, monday.AddDate(0, 0, -1))
	if morning < 10*night || sunday*3 > reused(usage.Day, monday)*2 {
		t.Errorf("in the morning %d, at night %d; on Monday %d, on Sunday %d", morning, night, reused(usage.Day, monday), sunday)
	}
	month := sums(list, usage.Day, noon.AddDate(0, -2, 0), 90*24*time.Hour)
	for _, k := range []kind{
		{usage.Minted, ""}, {usage.Failed, ""}, {usage.Saved, usage.Created}, {usage.Saved, usage.Repeated},
		{usage.Refused, "rate_limited"}, {usage.Refused, "invalid_token"}, {usage.Refused, "subject_blocked"}, {usage.Refused, "unauthenticated"},
		{usage.Limited, "token-user"}, {usage.Called, "ok"}, {usage.Called, "failed"}, {usage.Called, "timeout"}, {usage.Took, "250"}, {usage.Took, "10000"},
	} {
		if month[k].N == 0 {
			t.Errorf("there is no %v in a month", k)
		}
	}
	if month[kind{usage.Failed, ""}].N*20 > month[kind{usage.Minted, ""}].N {
		t.Errorf("%v failed of %v", month[kind{usage.Failed, ""}].N, month[kind{usage.Minted, ""}].N)
	}
}
