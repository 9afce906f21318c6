package budget_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/testkit/storetest"
)

// compared is a comparer, what it was told and what it says.
type compared struct {
	*budget.Comparer
	log   bytes.Buffer
	asked atomic.Int64
	usage []budget.VendorUsage
	err   error
	last  budget.Comparison
}

func newComparer(w *world) *compared {
	c := &compared{}
	c.Comparer = &budget.Comparer{
		Vendor: func(context.Context, time.Time, time.Time) ([]budget.VendorUsage, error) {
			c.asked.Add(1)
			return c.usage, c.err
		},
		Store: w.db, Jobs: w.db, Log: slog.New(slog.NewTextHandler(&c.log, nil)), Now: w.now,
		OnCompared: func(x budget.Comparison) { c.last = x },
	}
	return c
}

func TestPastDayIsComparedOnceByOneReplica(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		w := newWorld(storetest.Open(t, url, box), box)
		one, two := newComparer(w), newComparer(w)
		run := func(hours int, minute int, want int64) {
			t.Helper()
			w.ahead.Store(int64(time.Duration(hours)*time.Hour + time.Duration(minute)*time.Minute))
			for _, c := range []*compared{one, two} {
				if err := c.Run(t.Context()); err != nil && !errors.Is(err, c.err) {
					t.Fatal(err)
				}
			}
			if got := one.asked.Load() + two.asked.Load(); got != want {
				t.Errorf("the vendor was asked %d times, want %d", got, want)
			}
		}
		run(0, 0, 0) // nothing was recorded yet
		w.end(t, w.must(t, "app:asha"), credit.One)
		run(1, 0, 0)
		run(12, 15, 0) // too soon after midnight
		one.err = errors.New("the vendor is down")
		two.err = one.err
		run(12, 31, 1)
		run(12, 35, 1) // the lease of the failed run
		one.err, two.err = nil, nil
		run(12, 42, 2)
		run(30, 0, 2)
		run(36, 31, 3)
		if list, err := w.db.Comparisons(t.Context(), 9); err != nil || len(list) != 2 || !list[1].Day.Equal(budget.Day.Start(noon)) {
			t.Errorf("got %+v, %v, want two days", list, err)
		}
	})
}

func TestDifferencesToTheVendorAreNamed(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	w := newWorld(db, storetest.NewBox(t))
	add := func(feature string, delivery budget.Delivery, used credit.Amount) {
		c := budget.Call{
			ID: feature + string(delivery) + used.String(), Feature: feature, StartedAt: noon, EndedAt: noon, Delivery: delivery, Used: used,
		}
		if added, err := db.AddCall(t.Context(), c); err != nil || !added {
			t.Fatal(added, err)
		}
	}
	add("smart_parser", budget.Answered, 1000)
	add("smart_parser", budget.Unknown, 1000)
	add("inbox_pull", budget.Answered, 200)
	add("inbound_email", budget.Answered, 200)
	w.ahead.Store(int64(24 * time.Hour))
	c := newComparer(w)
	for name, x := range map[string]struct {
		usage   []budget.VendorUsage
		differs string // features, with the difference of credits
	}{
		"with the unsure call": {[]budget.VendorUsage{{"smart_parser", 2, 2000}, {"inbox_pull", 1, 200}, {"inbound_email", 99, 200}, {"inbox_status", 7, 0}}, ""},
		"without it":           {[]budget.VendorUsage{{"smart_parser", 1, 1000}, {"inbox_pull", 1, 200}, {"inbound_email", 1, 200}}, ""},
		"of two keys":          {[]budget.VendorUsage{{"smart_parser", 1, 1000}, {"smart_parser", 1, 0}, {"inbox_pull", 1, 200}, {"inbound_email", 1, 200}}, ""},
		"more credits":         {[]budget.VendorUsage{{"smart_parser", 2, 2500}, {"inbox_pull", 1, 200}, {"inbound_email", 1, 400}}, "inbound_email 0.2, smart_parser 0.5"},
		"more calls":           {[]budget.VendorUsage{{"smart_parser", 3, 2000}, {"inbox_pull", 1, 200}, {"inbound_email", 1, 200}, {"nsdl_cas_parser", 1, 0}}, "nsdl_cas_parser 0, smart_parser 0"},
		"fewer":                {[]budget.VendorUsage{{"smart_parser", 1, 1000}, {"inbound_email", 1, 200}}, "inbox_pull -0.2"},
	} {
		c.usage = x.usage
		c.log.Reset()
		got, err := c.Compare(t.Context(), noon)
		if err != nil {
			t.Fatal(err)
		}
		var differs []string
		for _, f := range got.Features[1:] {
			if f.Differs {
				differs = append(differs, f.Feature+" "+f.Difference().String())
			}
		}
		if list := strings.Join(differs, ", "); list != x.differs || got.Features[0].Differs != (list != "") || len(c.last.Features) != len(got.Features) {
			t.Errorf("%s: got %q, all %+v, want %q", name, list, got.Features[0], x.differs)
		}
		if n := strings.Count(c.log.String(), "differs from the recorded calls"); n != len(differs) {
			t.Errorf("%s: %d lines in the log, want %d", name, n, len(differs))
		}
	}
}

func TestOnlyDaysWhoseCallsAreStoredAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(storetest.New(t), storetest.NewBox(t))
	c := newComparer(w)
	today := budget.Day.Start(w.now())
	for _, x := range []struct {
		retention time.Duration
		days      int // ago
		ok        bool
	}{{0, 60, true}, {0, 61, false}, {0, 0, false}, {72 * time.Hour, 1, true}, {72 * time.Hour, 2, true}, {72 * time.Hour, 3, false}} {
		c.Retention = x.retention
		_, err := c.Compare(t.Context(), today.AddDate(0, 0, -x.days))
		if x.ok && err != nil || !x.ok && !errors.Is(err, budget.ErrDay) {
			t.Errorf("%d days ago, with calls kept for %s: got %v, want ok to be %v", x.days, x.retention, err, x.ok)
		}
	}
}
