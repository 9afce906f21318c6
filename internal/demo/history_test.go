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

// kind is the series and label of a count.
type kind struct {
	series usage.Series
	label  string
}

// sums adds up the counts of step in the period of this length that starts at from.
func sums(list []usage.Count, step usage.Step, from time.Time, length time.Duration) map[kind]usage.Count {
	all := map[kind]usage.Count{}
	for _, c := range list {
		if c.Step != step || c.Series == usage.Synthetic || c.At.Before(from) || !c.At.Before(from.Add(length)) {
			continue
		}
		sum := all[kind{c.Series, c.Label}]
		sum.N += c.N
		sum.Took += c.Took
		all[kind{c.Series, c.Label}] = sum
	}
	return all
}

func TestHistoryOfEachStepAddsUp(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	for _, c := range []struct {
		long, short usage.Step
		from, to    time.Time
	}{
		{usage.Hour, usage.Minute, noon.Truncate(time.Hour).Add(-2 * time.Hour), noon},
		{usage.Day, usage.Hour, noon.Truncate(24*time.Hour).AddDate(0, 0, -2), noon},
	} {
		periods := 0
		for at := c.from; at.Before(c.to); at = at.Add(c.long.Length()) {
			whole, parts := sums(list, c.long, at, c.long.Length()), sums(list, c.short, at, c.long.Length())
			if len(whole) == 0 || len(whole) != len(parts) {
				t.Fatalf("%s %v: got %d series, %d in its parts", c.long, at, len(whole), len(parts))
			}
			for k, sum := range whole {
				if parts[k] != sum {
					t.Fatalf("%s %v, %v: got %v, its parts add up to %v", c.long, at, k, sum, parts[k])
				}
			}
			periods++
		}
		if want := map[usage.Step]int{usage.Hour: 3, usage.Day: 3}[c.long]; periods != want {
			t.Errorf("got %d periods of a %s, want %d", periods, c.long, want)
		}
	}
}

func TestHistoryIsMarkedAsGeneratedAndEndsNow(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	if !slices.IsSortedFunc(list, usage.Compare) {
		t.Error("the counts are not sorted")
	}
	markers := map[usage.Step]int{}
	for _, c := range list {
		if c.N < 1 || !c.At.Equal(c.At.Truncate(c.Step.Length())) || !c.At.Before(noon.Truncate(time.Minute)) {
			t.Fatalf("got count %+v, want N > 0 and a period that began before now", c)
		}
		if c.Series == usage.Synthetic {
			if markers[c.Step]++; c.N != 1 {
				t.Errorf("got marker %+v, want N = 1", c)
			}
		}
	}
	if markers[usage.Day] != 31 || markers[usage.Hour] != 2*24+13 || markers[usage.Minute] != 2*60+34 {
		t.Errorf("got %v marked periods by step", markers)
	}
}

func TestHistoryIsTheSameAtEveryStart(t *testing.T) {
	t.Parallel()
	first, second := demo.History(noon), demo.History(noon)
	if !slices.Equal(first, second) {
		t.Error("two calls for the same instant differ")
	}
	later := demo.History(noon.Add(3 * time.Hour))
	at, hour := noon.Truncate(time.Hour).Add(-5*time.Hour), time.Hour
	for k, sum := range sums(first, usage.Hour, at, hour) {
		if got := sums(later, usage.Hour, at, hour)[k]; got != sum {
			t.Errorf("three hours later: got %v of %v, want %v", got, k, sum)
		}
	}
}

func TestHistoryFollowsAnIndianWorkingDay(t *testing.T) {
	t.Parallel()
	list := demo.History(noon)
	reused := func(step usage.Step, at time.Time) int64 {
		return sums(list, step, at, step.Length())[kind{usage.Reused, ""}].N
	}
	monday := time.Date(2026, 4, 6, 0, 0, 0, 0, time.UTC)
	morning, night := reused(usage.Hour, monday.Add(5*time.Hour)), reused(usage.Hour, monday.Add(21*time.Hour)) // 10:30 and 2:30 in India
	sunday := reused(usage.Day, monday.AddDate(0, 0, -1))
	if morning < 10*night || sunday*3 > reused(usage.Day, monday)*2 {
		t.Errorf("got %d in the morning, %d at night, %d on Monday, %d on Sunday; want clear differences", morning, night, reused(usage.Day, monday), sunday)
	}
	month := sums(list, usage.Day, noon.AddDate(0, -2, 0), 90*24*time.Hour)
	for _, k := range []kind{
		{usage.Minted, ""}, {usage.Failed, ""}, {usage.Saved, usage.Created}, {usage.Saved, usage.Repeated},
		{usage.Refused, "rate_limited"}, {usage.Refused, "invalid_token"}, {usage.Refused, "subject_blocked"}, {usage.Refused, "unauthenticated"},
		{usage.Limited, "token-user"}, {usage.Called, "ok"}, {usage.Called, "failed"}, {usage.Called, "timeout"}, {usage.Took, "250"}, {usage.Took, "10000"},
	} {
		if month[k].N == 0 {
			t.Errorf("got no %v in a month", k)
		}
	}
	if month[kind{usage.Failed, ""}].N*20 > month[kind{usage.Minted, ""}].N {
		t.Errorf("got %v failed and %v minted, want under 5%% failed", month[kind{usage.Failed, ""}].N, month[kind{usage.Minted, ""}].N)
	}
}
