package store_test

import (
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// spend inserts rows into all tables of calls and budgets.
func spend(t *testing.T, s *store.DB) {
	t.Helper()
	c := budget.Call{ID: "gc_1", Subject: "demo:asha", Who: "demo:hash", App: "demo", Feature: "smart_parser", StartedAt: savedAt, Reserved: credit.One}
	soft := budget.Budget{Name: "watch", Scope: budget.User, Period: budget.Day, Credits: 1, Soft: true}
	counters := c.Counters()
	_, err := s.BeginCall(t.Context(), c, counters, func([]credit.Amount, func() ([]budget.Raise, error)) ([]budget.Reached, error) {
		record := audit.New(t.Context(), savedAt, audit.Broker, audit.BudgetReached, c.Subject, soft.Name)
		return []budget.Reached{{Budget: soft, Counter: counters[0], At: savedAt, Record: record}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered, Used: credit.One}
	if _, ended, err := s.EndCall(t.Context(), c.ID, r, savedAt); err != nil || !ended {
		t.Fatal(ended, err)
	}
	raise := budget.Raise{ID: "br_1", Budget: "watch", Subject: "demo:asha", Credits: 1, Until: savedAt.Add(time.Hour), At: savedAt}
	if err := s.AddRaise(t.Context(), raise, audit.New(t.Context(), savedAt, "admin/x", audit.BudgetRaise, "demo:asha", "watch")); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveComparison(t.Context(), budget.Comparison{Day: savedAt, At: savedAt, Features: []budget.FeatureComparison{{}}}); err != nil {
		t.Fatal(err)
	}
}

func TestComparisonReplacesThatOfTheSameDay(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		day := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
		for i := range 3 {
			for _, calls := range []int64{1, 2} {
				f := []budget.FeatureComparison{
					{Calls: calls, VendorCalls: calls}, {Feature: "smart_parser", Calls: calls, Credits: 1500, UnsureCalls: 1, UnsureCredits: 500, VendorCredits: 2, Differs: true},
				}
				if err := s.SaveComparison(t.Context(), budget.Comparison{Day: day.AddDate(0, 0, i), At: savedAt, Features: f}); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := s.Comparisons(t.Context(), 2)
		if err != nil || len(list) != 2 || !list[0].Day.Equal(day.AddDate(0, 0, 2)) || !list[1].Day.Equal(day.AddDate(0, 0, 1)) {
			t.Fatalf("got %+v, %v, want the two newest", list, err)
		}
		want := budget.FeatureComparison{Feature: "smart_parser", Calls: 2, Credits: 1500, UnsureCalls: 1, UnsureCredits: 500, VendorCredits: 2, Differs: true}
		if got := list[0].Features; len(got) != 2 || got[0].Calls != 2 || got[1] != want || !list[0].At.Equal(savedAt) {
			t.Errorf("got %+v", list[0])
		}
	})
}

func TestCallsAreComparedByWhenTheVendorLogsThem(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		midnight := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
		for i, c := range []budget.Call{
			{Delivery: budget.Answered, StartedAt: midnight.Add(-time.Minute), EndedAt: midnight.Add(time.Second), Used: 1000},
			{Delivery: budget.Answered, StartedAt: midnight.Add(-time.Minute), EndedAt: midnight.Add(-time.Second), Used: 1000},
			{Delivery: budget.Rejected, StartedAt: midnight, EndedAt: midnight},
			{Delivery: budget.Unknown, StartedAt: midnight.Add(23 * time.Hour), EndedAt: midnight.Add(25 * time.Hour), Used: 500},
			{Delivery: budget.NotSent, StartedAt: midnight, EndedAt: midnight},
		} {
			c.ID, c.Feature = string(rune('a'+i)), "smart_parser"
			if added, err := s.AddCall(t.Context(), c); err != nil || !added {
				t.Fatal(added, err)
			}
		}
		got, err := s.EndedCalls(t.Context(), midnight, midnight.AddDate(0, 0, 1))
		want := budget.FeatureComparison{Feature: "smart_parser", Calls: 1, UnsureCalls: 2, Credits: 1000, UnsureCredits: 500}
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
