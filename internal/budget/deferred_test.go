package budget_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/budget"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// outage is a store that can be unavailable.
type outage struct {
	budget.Store
	down, broken atomic.Bool // unavailable; failing for another reason
}

var errBroken = errors.New("the database is damaged")

func (o *outage) BeginCall(
	ctx context.Context, c budget.Call, counters []budget.Counter, check budget.Check,
) ([]budget.Reached, error) {
	if o.down.Load() {
		return nil, store.ErrUnavailable
	}
	return o.Store.BeginCall(ctx, c, counters, check)
}

func (o *outage) AddCall(ctx context.Context, c budget.Call) (bool, error) {
	if o.down.Load() {
		return false, store.ErrUnavailable
	}
	return o.Store.AddCall(ctx, c)
}

func (o *outage) EndCall(ctx context.Context, callID string, r budget.Result, at time.Time) (budget.Call, bool, error) {
	if o.down.Load() {
		return budget.Call{}, false, store.ErrUnavailable
	}
	if o.broken.Load() {
		return budget.Call{}, false, errBroken
	}
	return o.Store.EndCall(ctx, callID, r, at)
}

func TestCallThatEndsInAnOutageOfTheDatabaseCostsWhatTheVendorSaid(t *testing.T) {
	t.Parallel()
	hard := budget.Budget{Name: "user", Scope: budget.User, Period: budget.Day, Credits: 1000}
	each(t, []budget.Budget{hard}, func(t *testing.T, w *world) {
		o := &outage{Store: w.db}
		w.Store = o
		parse := budget.Call{Subject: "demo:asha", Feature: "smart_parser", Reserved: 1000}
		callID, err := w.Begin(t.Context(), parse)
		if err != nil {
			t.Fatal(err)
		}
		o.down.Store(true)
		failed := budget.Result{Outcome: "vendor_error", Reason: "INVALID_PASSWORD", Delivery: budget.Answered}
		if err := w.End(t.Context(), callID, failed); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, store.ErrUnavailable)
		}
		if err := w.SettleOverdue(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, store.ErrUnavailable)
		}
		o.down.Store(false)
		for range 2 { // again, to no effect
			if err := w.SettleOverdue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if sum := w.sum(t); sum != 0 || w.settled.Load() != 1 {
			t.Errorf("got %v credits of %d calls, want 0 of 1", sum, w.settled.Load())
		}
		if _, err := w.Begin(t.Context(), parse); err != nil {
			t.Errorf("got %v, want a call within the budget", err)
		}
	})
}

func TestEndThatCannotBeRecordedIsLeftToTheLease(t *testing.T) {
	t.Parallel()
	w := newWorld(storetest.New(t), storetest.NewBox(t))
	o := &outage{Store: w.db}
	w.Store = o
	callID, err := w.Begin(t.Context(), budget.Call{Subject: "demo:asha", Feature: "smart_parser", Reserved: 1000})
	if err != nil {
		t.Fatal(err)
	}
	o.down.Store(true)
	_ = w.End(t.Context(), callID, budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered})
	o.down.Store(false)
	o.broken.Store(true)
	if err := w.SettleOverdue(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
	if err := w.SettleOverdue(t.Context()); err != nil {
		t.Errorf("got %v, want no further try", err)
	}
	o.broken.Store(false)
	w.ahead.Store(int64(w.Lease))
	if err := w.SettleOverdue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sum := w.sum(t); sum != 1000 || w.settled.Load() != 1 {
		t.Errorf("got %v credits of %d calls, want 1 of 1", sum, w.settled.Load())
	}
}

func TestCallsDuringAnOutageOfTheDatabaseAreRecordedAfterIt(t *testing.T) {
	t.Parallel()
	each(t, nil, func(t *testing.T, w *world) {
		o := &outage{Store: w.db}
		w.Store = o
		o.down.Store(true)
		var calls []string
		for range 3 {
			callID, err := w.Begin(t.Context(), budget.Call{Subject: "demo:asha", Feature: "smart_parser", Reserved: 1000})
			if err != nil {
				t.Fatalf("got %v, want a call that is recorded later", err)
			}
			calls = append(calls, callID)
		}
		ok := budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered, Used: 1000}
		for _, callID := range calls[:2] {
			if err := w.End(t.Context(), callID, ok); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, store.ErrUnavailable)
			}
		}
		o.down.Store(false)
		if err := w.End(t.Context(), calls[2], budget.Result{Outcome: "timeout", Delivery: budget.Unknown}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // again, to no effect
			if err := w.SettleOverdue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if sum := w.sum(t); sum != 3000 || w.settled.Load() != 3 {
			t.Errorf("got %v credits of %d calls, want 3 of 3", sum, w.settled.Load())
		}
	})
}

func TestHardBudgetRefusesCallsDuringAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	hard := budget.Budget{Name: "demo", Scope: budget.App, App: "demo", Period: budget.Day, Credits: 5000}
	each(t, []budget.Budget{hard}, func(t *testing.T, w *world) {
		o := &outage{Store: w.db}
		w.Store = o
		o.down.Store(true)
		_, err := w.Begin(t.Context(), budget.Call{Subject: "demo:asha", Feature: "smart_parser", Reserved: 1000})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want %v", err, store.ErrUnavailable)
		}
		if _, err := w.Begin(t.Context(), budget.Call{Subject: "app:42", Feature: "smart_parser", Reserved: 1000}); err != nil {
			t.Errorf("got %v for an app without a budget", err)
		}
	})
}
