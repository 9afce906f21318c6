package budget_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// noon is the time of the tests, in UTC.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// world is a ledger of one replica, with a clock.
type world struct {
	*budget.Ledger
	db      *store.DB
	ahead   atomic.Int64 // of noon
	settled atomic.Int64
	mu      sync.Mutex
	reached []string
}

func newWorld(db *store.DB, box *secret.Box, budgets ...budget.Budget) *world {
	w := &world{db: db}
	w.Ledger = &budget.Ledger{
		Store: db, Budgets: budgets, Digest: box.Digest, Lease: budget.MinLease, Log: slog.New(slog.DiscardHandler), Now: w.now,
		OnSettled: func(budget.Call) { w.settled.Add(1) },
		OnReached: func(r budget.Reached) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reached = append(w.reached, r.Budget.Name+" "+r.Subject)
		},
	}
	return w
}

// each runs test with a ledger in a new database of each dialect.
func each(t *testing.T, budgets []budget.Budget, test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		test(t, newWorld(storetest.Open(t, url, box), box, budgets...))
	})
}

func (w *world) now() time.Time { return noon.Add(time.Duration(w.ahead.Load())) }

func (w *world) parse(ctx context.Context, subject string) (string, error) {
	return w.Begin(ctx, budget.Call{Subject: subject, GrantID: "gr_1", RequestID: "req_1", Feature: "smart_parser", Reserved: credit.One})
}

// must begins a parse of subject, which has to be allowed.
func (w *world) must(t *testing.T, subject string) string {
	t.Helper()
	id, err := w.parse(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// end settles a call of the parser.
func (w *world) end(t *testing.T, id string, used credit.Amount) {
	t.Helper()
	r := budget.Result{Outcome: budget.OutcomeOK, KeyName: "main", Delivery: budget.Answered, Used: used}
	if used == 0 {
		r.Outcome, r.Reason = "vendor_error", "INVALID_PASSWORD"
	}
	if err := w.End(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

// sum returns the credits of the counter of all on this day.
func (w *world) sum(t *testing.T) credit.Amount {
	t.Helper()
	sums, err := w.db.CounterSums(t.Context(), []budget.Counter{{Scope: budget.All, Period: budget.Day, Starts: budget.Day.Start(w.now())}})
	if err != nil {
		t.Fatal(err)
	}
	return sums[0]
}

// totals returns the totals of all calls by dimensions, as texts.
func (w *world) totals(t *testing.T, by ...budget.Dimension) (list []string) {
	t.Helper()
	all, err := w.db.CallTotals(t.Context(), budget.TotalsQuery{From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0), By: by})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s%s%s%s %d/%d %s", x.Subject, x.App, x.Feature, x.KeyName, x.Failures, x.Calls, x.Credits)))
	}
	return list
}

func wantExhausted(t *testing.T, err error, text string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || !errors.Is(err, budget.ErrExhausted) || !strings.Contains(f.Detail, text) || f.RetryAfter <= 0 {
		t.Errorf("got %v, want a used-up budget: %s", err, text)
	}
}

func perDay(name string, scope budget.Scope, credits credit.Amount) budget.Budget {
	return budget.Budget{Name: name, Scope: scope, Period: budget.Day, Credits: credits}
}

func TestUsedUpBudgetRefusesUntilItRenews(t *testing.T) {
	t.Parallel()
	each(t, []budget.Budget{perDay("user-day", budget.User, 2*credit.One)}, func(t *testing.T, w *world) {
		first := w.must(t, "app:asha")
		w.must(t, "app:asha")
		_, err := w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "Your budget for importing statements is used up. It renews on 30 November 2026 at 00:00 UTC.")
		w.must(t, "app:rohan")

		w.end(t, first, 0) // a failed call gives back what it reserved
		w.must(t, "app:asha")
		_, err = w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "is used up")

		w.ahead.Store(int64(12 * time.Hour))
		w.must(t, "app:asha")
		if len(w.reached) != 1 || w.reached[0] != "user-day app:asha" {
			t.Errorf("got %v, want one notice", w.reached)
		}
		trail, err := w.db.Trail(t.Context(), "app:asha", audit.Record{}, 10)
		if err != nil || len(trail) != 1 || trail[0].Action != audit.BudgetReached || trail[0].Object != "user-day" || trail[0].Detail != "user day 2026-11-29" {
			t.Errorf("got %+v, %v", trail, err)
		}
	})
}

func TestEachScopeAndPeriodCountsItsOwn(t *testing.T) {
	t.Parallel()
	budgets := []budget.Budget{
		{Name: "one-app", Scope: budget.App, App: "kiosk", Period: budget.Day, Credits: 1 * credit.One},
		{Name: "apps", Scope: budget.App, Period: budget.Day, Credits: 3 * credit.One},
		{Name: "all", Scope: budget.All, Period: budget.Month, Credits: 5 * credit.One},
		{Name: "kiosk-user", Scope: budget.User, App: "kiosk", Period: budget.Day, Credits: 500},
	}
	each(t, budgets, func(t *testing.T, w *world) {
		_, err := w.parse(t.Context(), "kiosk:1")
		wantExhausted(t, err, "Your budget")
		for i := range 3 {
			w.end(t, w.must(t, fmt.Sprintf("app:%d", i)), credit.One)
		}
		_, err = w.parse(t.Context(), "app:9")
		wantExhausted(t, err, "This app's budget for importing statements is used up. It renews on 30 November 2026")
		w.ahead.Store(int64(24 * time.Hour)) // still November
		w.must(t, "app:1")
		w.must(t, "app:2")
		_, err = w.parse(t.Context(), "other:1")
		wantExhausted(t, err, "1 December 2026")
		w.ahead.Store(int64(48 * time.Hour))
		w.must(t, "other:1")
	})
}

func TestNewBudgetCountsFromTheBeginningOfItsPeriod(t *testing.T) {
	t.Parallel()
	each(t, nil, func(t *testing.T, w *world) {
		w.must(t, "app:asha")
		w.Budgets = []budget.Budget{perDay("user-day", budget.User, credit.One)}
		_, err := w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "Your budget")
	})
}

func TestFreeCallIsRecordedWithoutABudget(t *testing.T) {
	t.Parallel()
	each(t, []budget.Budget{perDay("user-day", budget.User, 1)}, func(t *testing.T, w *world) {
		id, err := w.Begin(t.Context(), budget.Call{Subject: "app:asha", Feature: "inbox_connect"})
		if err != nil {
			t.Fatal(err)
		}
		w.end(t, id, 0)
		if got := w.totals(t, budget.ByFeature); len(got) != 1 || got[0] != "inbox_connect 1/1 0" {
			t.Errorf("got %v", got)
		}
	})
}

func TestSoftBudgetIsReportedOnceAndRefusesNothing(t *testing.T) {
	t.Parallel()
	soft := perDay("watch", budget.All, 3*credit.One)
	soft.Soft = true
	each(t, []budget.Budget{soft}, func(t *testing.T, w *world) {
		for range 2 {
			w.must(t, "app:asha")
		}
		if len(w.reached) != 0 {
			t.Errorf("got %v before the budget is reached", w.reached)
		}
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() { _, _ = w.parse(context.Background(), "app:asha") })
		}
		calls.Wait()
		if len(w.reached) != 1 || w.sum(t) != 10*credit.One {
			t.Errorf("got notices %v and %s credits, want 1 and 10", w.reached, w.sum(t))
		}
		w.ahead.Store(int64(24 * time.Hour))
		for range 3 {
			w.must(t, "app:asha")
		}
		if len(w.reached) != 2 {
			t.Errorf("got notices %v, want one on each day", w.reached)
		}
	})
}

func TestRaiseEnlargesABudgetForAWhile(t *testing.T) {
	t.Parallel()
	each(t, []budget.Budget{perDay("user-day", budget.User, credit.One)}, func(t *testing.T, w *world) {
		w.must(t, "app:asha")
		raise := budget.Raise{
			ID: "br_1", Budget: "user-day", Subject: "app:asha", Credits: 2 * credit.One, Until: noon.Add(time.Hour), At: noon, Actor: "admin/x",
		}
		if err := w.db.AddRaise(t.Context(), raise, audit.New(t.Context(), noon, "admin/x", audit.BudgetRaise, "app:asha", "user-day")); err != nil {
			t.Fatal(err)
		}
		w.must(t, "app:asha")
		w.must(t, "app:asha")
		_, err := w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "Your budget")
		w.must(t, "app:rohan")
		_, err = w.parse(t.Context(), "app:rohan") // it is for another user
		wantExhausted(t, err, "Your budget")
		w.end(t, w.must(t, "app:kabir"), 0)
		w.ahead.Store(int64(time.Hour))
		_, err = w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "Your budget")
	})
}

func TestCallWhoseEndIsNotRecordedIsSettledAtItsPrice(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		killed, other := newWorld(storetest.Open(t, url, box), box), newWorld(storetest.Open(t, url, box), box)
		id := killed.must(t, "app:asha")
		if err := killed.db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := killed.End(t.Context(), id, budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered}); err == nil {
			t.Error("a closed database settled a call")
		}
		settle := func(after time.Duration, want int64) {
			t.Helper()
			other.ahead.Store(int64(after))
			if err := other.SettleOverdue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := other.settled.Load(); got != want {
				t.Errorf("after %v %d calls are settled, want %d", after, got, want)
			}
		}
		settle(budget.MinLease-time.Second, 0)
		settle(budget.MinLease, 1)
		settle(2*budget.MinLease, 1)
		calls, err := other.db.Calls(t.Context(), "app:asha", budget.Call{}, 10)
		if err != nil || len(calls) != 1 {
			t.Fatal(calls, err)
		}
		if c := calls[0]; c.Outcome != budget.OutcomeUnknown || c.Delivery != budget.Unknown || c.Used != credit.One || c.GrantID != "gr_1" {
			t.Errorf("got %+v, want an unknown call at its price", c)
		}
		if got := other.totals(t, budget.ByFeature); len(got) != 1 || got[0] != "smart_parser 1/1 1" || other.sum(t) != credit.One {
			t.Errorf("got %v and %s credits", got, other.sum(t))
		}
		other.end(t, id, 0) // too late: it changes nothing
		if other.sum(t) != credit.One {
			t.Errorf("got %s credits, want 1", other.sum(t))
		}
	})
}

func TestMailCountsOnceHoweverOftenItIsSeen(t *testing.T) {
	t.Parallel()
	each(t, []budget.Budget{perDay("user-day", budget.User, 100)}, func(t *testing.T, w *world) {
		for _, key := range []string{"ie_1 m1", "ie_1 m1", "ie_1 m2"} {
			if err := w.RecordMail(t.Context(), "app:asha", key, noon); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.totals(t, budget.ByFeature); len(got) != 1 || got[0] != "inbound_email 0/2 0.4" || w.sum(t) != 400 {
			t.Errorf("got %v and %s credits, want 2 mails", got, w.sum(t))
		}
	})
}

func TestErasureRemovesTheUserAndRefillsNoBudget(t *testing.T) {
	t.Parallel()
	each(t, []budget.Budget{perDay("user-day", budget.User, 2*credit.One)}, func(t *testing.T, w *world) {
		w.end(t, w.must(t, "app:asha"), credit.One)
		open := w.must(t, "app:asha")
		w.end(t, w.must(t, "app:rohan"), credit.One)
		if _, err := w.db.Erase(t.Context(), "app:asha", audit.New(t.Context(), noon, "app:asha", audit.DataErase, "app:asha", "")); err != nil {
			t.Fatal(err)
		}
		if calls, err := w.db.Calls(t.Context(), "app:asha", budget.Call{}, 10); err != nil || len(calls) != 0 {
			t.Errorf("got %v, %v, want no calls", calls, err)
		}
		_, err := w.parse(t.Context(), "app:asha")
		wantExhausted(t, err, "Your budget")
		w.end(t, open, 0)
		if got := w.totals(t, budget.BySubject); len(got) != 2 || got[0] != "1/2 1" || got[1] != "app:rohan 0/1 1" {
			t.Errorf("got %q, want the totals of a nameless user and of rohan", got)
		}
		w.must(t, "app:asha") // the failed call gave its credit back
		if costliest, err := w.db.CallTotals(t.Context(), budget.TotalsQuery{
			From: noon.AddDate(0, 0, -1), To: noon.AddDate(0, 0, 1), By: []budget.Dimension{budget.BySubject}, Costliest: 5,
		}); err != nil || len(costliest) != 1 || costliest[0].Subject != "app:rohan" {
			t.Errorf("got %+v, %v, want rohan alone", costliest, err)
		}
	})
}

func TestOldCallsAreDeletedAndTheirTotalsStay(t *testing.T) {
	t.Parallel()
	each(t, nil, func(t *testing.T, w *world) {
		w.end(t, w.must(t, "app:asha"), credit.One)
		w.must(t, "app:asha") // open calls stay
		w.ahead.Store(int64(100 * 24 * time.Hour))
		w.must(t, "app:asha")
		if n, err := w.db.ExpireCalls(t.Context(), noon.Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("deleted %d calls, %v, want 1", n, err)
		}
		if err := w.db.DropCounters(t.Context(), w.now()); err != nil {
			t.Fatal(err)
		}
		calls, err := w.db.Calls(t.Context(), "app:asha", budget.Call{}, 10)
		if got := w.totals(t, budget.ByApp); err != nil || len(calls) != 2 || len(got) != 1 || got[0] != "app 0/1 1" || w.sum(t) != credit.One {
			t.Errorf("got %d calls, totals %v, %s credits today", len(calls), got, w.sum(t))
		}
	})
}

// TestConcurrentCallsNeverExceedABudget makes calls of several users at random on three
// replicas, and compares all records in the end.
func TestConcurrentCallsNeverExceedABudget(t *testing.T) {
	t.Parallel()
	limit := 40 * credit.One
	budgets := []budget.Budget{
		perDay("all", budget.All, limit), perDay("user", budget.User, 15*credit.One),
		{Name: "app-month", Scope: budget.App, Period: budget.Month, Credits: 25 * credit.One},
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		box := storetest.NewBox(t)
		replicas := make([]*world, 3)
		for i := range replicas {
			replicas[i] = newWorld(storetest.Open(t, url, box), box, budgets...)
		}
		var spent, refused, most atomic.Int64
		var calls sync.WaitGroup
		for i := range 12 {
			random := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // a test
			w := replicas[i%3]
			subject := []string{"one:asha", "one:rohan", "two:kabir", "two:meera"}[i%4]
			calls.Go(func() {
				for range 15 {
					id, err := w.parse(context.Background(), subject)
					if errors.Is(err, budget.ErrExhausted) {
						refused.Add(1)
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					used := credit.Amount(random.IntN(3)) * credit.One / 2
					most.Store(max(most.Load(), spent.Add(int64(used))))
					r := budget.Result{Outcome: budget.OutcomeOK, Delivery: budget.Answered, Used: used}
					if err := w.End(context.Background(), id, r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		calls.Wait()
		if refused.Load() == 0 || credit.Amount(spent.Load()) > limit {
			t.Errorf("%s credits were used and %d calls refused, want at most %s and some", credit.Amount(spent.Load()), refused.Load(), limit)
		}
		compareBooks(t, replicas[0], credit.Amount(spent.Load()))
	})
}

// compareBooks fails unless the counters and the totals equal what was spent.
func compareBooks(t *testing.T, w *world, spent credit.Amount) {
	t.Helper()
	for _, by := range []budget.Dimension{budget.ByDay, budget.ByFeature, budget.ByApp, budget.ByKey, budget.BySubject} {
		list, err := w.db.CallTotals(t.Context(), budget.TotalsQuery{From: noon.AddDate(0, 0, -1), To: noon.AddDate(0, 0, 1), By: []budget.Dimension{by}})
		var sum credit.Amount
		for _, total := range list {
			sum += total.Credits
		}
		if err != nil || sum != spent {
			t.Errorf("by %s the totals are %s, %v, want %s", by, sum, err, spent)
		}
	}
	if w.sum(t) != spent {
		t.Errorf("the counter has %s, want %s", w.sum(t), spent)
	}
	for _, b := range w.Budgets {
		use, err := w.db.BudgetUse(t.Context(), b, b.Period.Start(noon))
		if err != nil || use.Most > b.Credits || use.Most == 0 {
			t.Errorf("budget %s: got %+v, %v, want at most %s", b.Name, use, err, b.Credits)
		}
	}
	if n, reserved, err := w.db.OpenCalls(t.Context()); n != 0 || reserved != 0 || err != nil {
		t.Errorf("%d calls are open with %s credits, %v", n, reserved, err)
	}
}
