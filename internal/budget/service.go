package budget

import (
	"context"
	"fmt"
	"slices"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/credit"
	"casbroker/internal/fault"
)

const (
	// defaultDays is the length of a report without a from, in days.
	defaultDays = 30
	// maxDays is the longest report, in days.
	maxDays = 400
)

var errRange = fault.New(fault.Invalid, "invalid_range",
	fmt.Sprintf("from must be before to, both from 1970 to 9999, and no more than %d days apart.", maxDays))

// Service reports what calls have cost. All fields are required. It is safe for concurrent
// use.
type Service struct {
	Ledger *Ledger
	Apps   []string // the names of the verifiers of user tokens
	Store  interface {
		Totals
		RaiseStore
		Comparisons
	}
}

// Sum has the sums of calls that have ended.
type Sum struct {
	Calls    int64         `json:"calls"`
	Failures int64         `json:"failures"` // of Calls
	Credits  credit.Amount `json:"credits"`
}

func (s *Sum) add(t Total) {
	s.Calls += t.Calls
	s.Failures += t.Failures
	s.Credits += t.Credits
}

// DaySum is a Sum of one feature on one day.
type DaySum struct {
	Day     string `json:"day"` // 2026-11-29, of UTC
	Feature string `json:"feature"`
	Sum
}

// OwnBudget is a budget as one of its users sees it. Of one that several share, the user
// learns only whether it is used up.
type OwnBudget struct {
	Name      string         `json:"name"`
	Scope     Scope          `json:"scope"`
	Period    Period         `json:"period"`
	Credits   *credit.Amount `json:"credits,omitempty"`   // with raises
	Used      *credit.Amount `json:"used,omitempty"`      // with what open calls reserve
	Remaining *credit.Amount `json:"remaining,omitempty"` // 0 if more than Credits are used
	Exhausted bool           `json:"exhausted"`
	RenewsAt  time.Time      `json:"renews_at"`
}

// OwnUsage is what the calls of one user have cost.
type OwnUsage struct {
	From    time.Time   `json:"from"`
	To      time.Time   `json:"to"`
	Days    []DaySum    `json:"days"` // oldest first, without those without calls
	Total   Sum         `json:"total"`
	Budgets []OwnBudget `json:"budgets"` // the hard ones
}

// wholeDays returns from and to as whole days of UTC, which contain both. A zero to is the
// end of today, a zero from 30 days before to.
func (s *Service) wholeDays(from, to time.Time) (first, last time.Time, err error) {
	today := Day.Start(s.Ledger.Now())
	if to.IsZero() {
		to = today.AddDate(0, 0, 1)
	}
	last = Day.Start(to)
	if last.Before(to) {
		last = last.AddDate(0, 0, 1)
	}
	if from.IsZero() {
		from = last.AddDate(0, 0, -defaultDays)
	}
	first = Day.Start(from)
	if !from.Before(to) || first.Year() < 1970 || last.Year() > 9999 || last.Sub(first) > maxDays*24*time.Hour {
		return first, last, errRange
	}
	return first, last, nil
}

// Own returns what the calls of subject between from and to have cost, in whole days, and
// what is left of its budgets now. It returns the fault invalid_range.
func (s *Service) Own(ctx context.Context, subject string, from, to time.Time) (OwnUsage, error) {
	from, to, err := s.wholeDays(from, to)
	if err != nil {
		return OwnUsage{}, err
	}
	list, err := s.Store.CallTotals(ctx, TotalsQuery{Subject: subject, From: from, To: to, By: []Dimension{ByDay, ByFeature}})
	if err != nil {
		return OwnUsage{}, err
	}
	u := OwnUsage{From: from, To: to, Days: []DaySum{}}
	for _, t := range list {
		u.Days = append(u.Days, DaySum{t.Day.Format(time.DateOnly), t.Feature, Sum{t.Calls, t.Failures, t.Credits}})
		u.Total.add(t)
	}
	u.Budgets, err = s.ownBudgets(ctx, subject)
	return u, err
}

func (s *Service) ownBudgets(ctx context.Context, subject string) ([]OwnBudget, error) {
	now, app := s.Ledger.Now(), apikey.AppOf(subject)
	raises, err := s.Store.Raises(ctx, now)
	if err != nil {
		return nil, err
	}
	counters := CountersAt(now, s.Ledger.who(subject), app)
	sums, err := s.Store.CounterSums(ctx, counters)
	if err != nil {
		return nil, err
	}
	list := []OwnBudget{}
	for _, b := range s.Ledger.Budgets {
		if b.Soft || !b.concerns(app) {
			continue
		}
		limit, used := b.Credits+b.raised(raises, subject, app), sums[b.counter(counters)]
		left := max(limit-used, 0)
		own := OwnBudget{
			Name: b.Name, Scope: b.Scope, Period: b.Period, Exhausted: left == 0, RenewsAt: b.Period.End(b.Period.Start(now)),
		}
		if b.Scope == User {
			own.Credits, own.Used, own.Remaining = &limit, &used, &left
		}
		list = append(list, own)
	}
	return list, nil
}

// KeySum is a Sum of one app, API key or user, which Name names.
type KeySum struct {
	Name string `json:"name"`
	Sum
}

// OpenSum is what open calls reserve.
type OpenSum struct {
	Calls   int           `json:"calls"`
	Credits credit.Amount `json:"credits"`
}

// Report is what all calls have cost.
type Report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Total    Sum       `json:"total"`
	Open     OpenSum   `json:"open"` // now, whatever From and To
	Days     []DaySum  `json:"days"` // by feature, oldest first, without those without calls
	Features []KeySum  `json:"features"`
	Apps     []KeySum  `json:"apps"`
	Keys     []KeySum  `json:"keys"`  // of the vendor's API; "" for calls that were not sent
	Users    []KeySum  `json:"users"` // the costliest
}

// Report returns what all calls between from and to have cost, in whole days, with the
// given number of the costliest users. It returns the fault invalid_range.
func (s *Service) Report(ctx context.Context, from, to time.Time, costliest int) (Report, error) {
	from, to, err := s.wholeDays(from, to)
	if err != nil {
		return Report{}, err
	}
	r := Report{From: from, To: to, Days: []DaySum{}}
	days, err := s.Store.CallTotals(ctx, TotalsQuery{From: from, To: to, By: []Dimension{ByDay, ByFeature}})
	if err != nil {
		return Report{}, err
	}
	for _, t := range days {
		r.Days = append(r.Days, DaySum{t.Day.Format(time.DateOnly), t.Feature, Sum{t.Calls, t.Failures, t.Credits}})
		r.Total.add(t)
	}
	for _, part := range []struct {
		into      *[]KeySum
		by        Dimension
		costliest int
	}{{&r.Features, ByFeature, 0}, {&r.Apps, ByApp, 0}, {&r.Keys, ByKey, 0}, {&r.Users, BySubject, costliest}} {
		list, err := s.Store.CallTotals(ctx, TotalsQuery{From: from, To: to, By: []Dimension{part.by}, Costliest: part.costliest})
		if err != nil {
			return Report{}, err
		}
		*part.into = make([]KeySum, len(list))
		for i, t := range list {
			(*part.into)[i] = KeySum{t.Feature + t.App + t.KeyName + t.Subject, Sum{t.Calls, t.Failures, t.Credits}}
		}
	}
	r.Open.Calls, r.Open.Credits, err = s.Store.OpenCalls(ctx)
	return r, err
}

// State is a budget and how much of it is used in the current period.
type State struct {
	Name      string        `json:"name"`
	Scope     Scope         `json:"scope"`
	App       string        `json:"app,omitempty"`
	Period    Period        `json:"period"`
	Credits   credit.Amount `json:"credits"` // without raises
	Soft      bool          `json:"soft"`
	Most      credit.Amount `json:"most"`      // used, with what open calls reserve; by the user or app that has used most
	Holders   int           `json:"holders"`   // users or apps that have used some of theirs; 1 at most with the scope all
	Exhausted int           `json:"exhausted"` // of Holders, those that have used all of it
	RenewsAt  time.Time     `json:"renews_at"`
}

// States returns the budgets and how much of them is used now.
func (s *Service) States(ctx context.Context) ([]State, error) {
	now, list := s.Ledger.Now(), []State{}
	for _, b := range s.Ledger.Budgets {
		starts := b.Period.Start(now)
		use, err := s.Store.BudgetUse(ctx, b, starts)
		if err != nil {
			return nil, err
		}
		list = append(list, State{
			Name: b.Name, Scope: b.Scope, App: b.App, Period: b.Period, Credits: b.Credits, Soft: b.Soft,
			Most: use.Most, Holders: use.Holders, Exhausted: use.Exhausted, RenewsAt: b.Period.End(starts),
		})
	}
	return list, nil
}

// find returns the budget called name.
func (s *Service) find(name string) (Budget, bool) {
	i := slices.IndexFunc(s.Ledger.Budgets, func(b Budget) bool { return b.Name == name })
	if i < 0 {
		return Budget{}, false
	}
	return s.Ledger.Budgets[i], true
}
