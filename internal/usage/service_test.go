package usage_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/usage"
)

func TestStatsHaveAPointForEveryInterval(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	zone := time.FixedZone("IST", 19800)
	for _, c := range []struct {
		name     string
		step     usage.Step
		from, to time.Time
		points   int
		first    string
		end      string
	}{
		{"the last hour", usage.Minute, time.Time{}, time.Time{}, 60, "2026-04-06T08:31:00Z", "2026-04-06T09:31:00Z"},
		{"the last day", usage.Hour, time.Time{}, time.Time{}, 24, "2026-04-05T10:00:00Z", "2026-04-06T10:00:00Z"},
		{"the last month", usage.Day, time.Time{}, time.Time{}, 30, "2026-03-08T00:00:00Z", "2026-04-07T00:00:00Z"},
		{"with from", usage.Hour, begin.Add(-90 * time.Minute), time.Time{}, 2, "2026-04-06T08:00:00Z", "2026-04-06T10:00:00Z"},
		{"with to", usage.Minute, time.Time{}, begin.Add(-time.Hour), 60, "2026-04-06T07:31:00Z", "2026-04-06T08:31:00Z"},
		{"one whole interval", usage.Hour, begin.Truncate(time.Hour), begin.Truncate(time.Hour).Add(time.Hour), 1, "2026-04-06T09:00:00Z", "2026-04-06T10:00:00Z"},
		{"a nanosecond", usage.Day, begin, begin.Add(time.Nanosecond), 1, "2026-04-06T00:00:00Z", "2026-04-07T00:00:00Z"},
		{"days of UTC, whatever the zone", usage.Day, time.Date(2026, 4, 6, 2, 0, 0, 0, zone), time.Date(2026, 4, 6, 6, 0, 0, 0, zone), 2, "2026-04-05T00:00:00Z", "2026-04-07T00:00:00Z"},
		{"the longest range", usage.Minute, begin.Add(-1499 * time.Minute), begin, 1500, "2026-04-05T08:31:00Z", "2026-04-06T09:31:00Z"},
		{"in the future", usage.Day, begin.AddDate(1, 0, 0), begin.AddDate(1, 0, 1), 2, "2027-04-06T00:00:00Z", "2027-04-08T00:00:00Z"},
	} {
		s := stats(t, db, now, c.step, c.from, c.to)
		if len(s.Points) != c.points || s.From.Format(time.RFC3339) != c.first || s.To.Format(time.RFC3339) != c.end || s.Step != c.step {
			t.Errorf("%s: %d points from %s to %s", c.name, len(s.Points), s.From.Format(time.RFC3339), s.To.Format(time.RFC3339))
		}
		for i, p := range append(s.Points, s.Total) {
			if p.Refused == nil || p.Limited == nil || p.Saved == nil || p.Upstream.Outcome == nil {
				t.Fatalf("%s: point %d lacks a map: %+v", c.name, i, p)
			}
			if i < len(s.Points) && !p.At.Equal(s.From.Add(time.Duration(i)*c.step.Length())) {
				t.Fatalf("%s: point %d is at %v", c.name, i, p.At)
			}
		}
	}
}

func TestStatsRefuseInvalidRanges(t *testing.T) {
	t.Parallel()
	s := &usage.Service{Store: storetest.New(t), Now: newClock().now}
	for _, c := range []struct {
		name     string
		step     usage.Step
		from, to time.Time
		code     string
	}{
		{"unknown step", "week", time.Time{}, time.Time{}, "invalid_step"},
		{"no step", "", time.Time{}, time.Time{}, "invalid_step"},
		{"empty range", usage.Hour, begin, begin, "invalid_range"},
		{"to before from", usage.Hour, begin, begin.Add(-time.Hour), "invalid_range"},
		{"from in the future", usage.Hour, begin.AddDate(1, 0, 0), time.Time{}, "invalid_range"},
		{"too many points", usage.Minute, begin.Add(-1500 * time.Minute), begin, "invalid_range"},
		{"thousands of years", usage.Day, time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9998, 1, 1, 0, 0, 0, 0, time.UTC), "invalid_range"},
		{"before the epoch", usage.Day, time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), "invalid_range"},
		{"to after 9999", usage.Day, time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 12, 0, 0, 0, time.UTC), "invalid_range"},
		{"default from before 1970", usage.Day, time.Time{}, time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), "invalid_range"},
	} {
		_, err := s.Stats(t.Context(), c.step, c.from, c.to)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
}

func TestStatsOfVendorCalls(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	c := &usage.Counter{Store: db, Now: now.now}
	call := func(n int, outcome string, d time.Duration) {
		for range n {
			c.Upstream(outcome, d)
		}
	}
	call(93, "ok", 200*time.Millisecond)
	call(1, "refused", 300*time.Millisecond)
	call(1, "rate_limited", 500*time.Millisecond)
	call(5, "timeout", 10*time.Second)
	call(20, "canceled", time.Minute)
	call(30, "breaker_open", 0)
	flush(t, c)
	up := stats(t, db, now, usage.Minute, time.Time{}, time.Time{}).Total.Upstream
	if up.Calls != 150 || up.Errors != 37 || up.Outcome["ok"] != 93 || up.Outcome["canceled"] != 20 || up.Outcome["breaker_open"] != 30 {
		t.Errorf("got %+v", up)
	}
	if mean := (93*200. + 300 + 500 + 5*10_000) / 100; math.Abs(up.MeanMS-mean) > 1e-9 || up.P95MS != 500 {
		t.Errorf("mean %v, want %v; p95 %v", up.MeanMS, mean, up.P95MS)
	}
	for _, c := range []struct {
		after, upTo time.Duration
		want        int64
	}{{0, 0, 100}, {0, 250 * time.Millisecond, 93}, {250 * time.Millisecond, time.Second, 2}, {time.Second, 0, 5}, {10 * time.Second, 0, 0}} {
		if got := usage.Between(up.Took, c.after, c.upTo); got != c.want {
			t.Errorf("got %d calls that took %v to %v, want %d", got, c.after, c.upTo, c.want)
		}
	}
}

func TestP95IsABucketBound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		took []time.Duration
		want float64
	}{
		"no calls":               {nil, 0},
		"no time":                {[]time.Duration{0}, 25},
		"exactly a bound":        {[]time.Duration{50 * time.Millisecond}, 50},
		"just above a bound":     {[]time.Duration{50*time.Millisecond + 1}, 75},
		"beyond all bounds":      {[]time.Duration{time.Hour}, 60_000},
		"half of the calls slow": {[]time.Duration{time.Millisecond, 7 * time.Second}, 7500},
	} {
		db, now := storetest.New(t), newClock()
		counter := &usage.Counter{Store: db, Now: now.now}
		for _, d := range c.took {
			counter.Upstream("ok", d)
		}
		flush(t, counter)
		if got := stats(t, db, now, usage.Minute, time.Time{}, time.Time{}).Total.Upstream.P95MS; got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestDemoHistoryIsMarkedAndAddedOnce(t *testing.T) {
	t.Parallel()
	db, now := storetest.New(t), newClock()
	today := begin.Truncate(24 * time.Hour)
	yesterday := today.AddDate(0, 0, -1)
	history := []usage.Count{
		{Step: usage.Day, At: yesterday, Series: usage.Synthetic, N: 1},
		{Step: usage.Day, At: yesterday, Series: usage.Minted, N: 7},
	}
	for range 3 {
		if err := usage.AddDemoHistory(t.Context(), db, history); err != nil {
			t.Fatal(err)
		}
	}
	if err := usage.AddDemoHistory(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	s := stats(t, db, now, usage.Day, yesterday, today.AddDate(0, 0, 1))
	if p := s.Points[0]; p.Minted != 7 || !p.Synthetic || s.Points[1].Synthetic || !s.Total.Synthetic {
		t.Errorf("got %+v", s)
	}
}
