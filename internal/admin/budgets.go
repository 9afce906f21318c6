package admin

import (
	"context"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/auth"
	"casbroker/internal/budget"
	"casbroker/internal/fault"
)

const (
	// defaultCostliest and maxCostliest are how many users one answer has.
	defaultCostliest = 10
	maxCostliest     = 100
	// defaultComparisons and maxComparisons are how many days of comparisons one answer has.
	defaultComparisons = 7
	maxComparisons     = 60
)

var errRaiseSubject = fault.New(fault.Unprocessable, "invalid_subject",
	"subject must be the verifier, a colon and the id of a user, such as app:42.").
	At(fault.Field{Pointer: "/subject", Detail: "must be the verifier, a colon and the id of a user"})

// Costs returns what the calls through the gateway have cost, with the given number of the
// costliest users. It returns the faults of budget.Service.Report.
func (s *Service) Costs(ctx context.Context, from, to time.Time, costliest int) (budget.Report, error) {
	r, err := s.Budgets.Report(ctx, from, to, costliest)
	if err != nil {
		return r, err
	}
	return r, s.auditRead(ctx, "", "usage")
}

// BudgetList has the budgets and the raises in force.
type BudgetList struct {
	Budgets []budget.State `json:"budgets"`
	Raises  []budget.Raise `json:"raises"`
}

// BudgetStates returns the budgets and the raises in force.
func (s *Service) BudgetStates(ctx context.Context) (BudgetList, error) {
	states, err := s.Budgets.States(ctx)
	if err != nil {
		return BudgetList{}, err
	}
	raises, err := s.Budgets.Raises(ctx)
	if err != nil {
		return BudgetList{}, err
	}
	return BudgetList{states, orEmpty(raises)}, s.auditRead(ctx, "", "budgets")
}

// RaiseBudget makes a budget larger for a while. It returns the faults of
// budget.Service.Raise.
func (s *Service) RaiseBudget(ctx context.Context, r budget.Raise) (budget.Raise, error) {
	if r.Subject != "" && !access.IsSubject(r.Subject) {
		return budget.Raise{}, errRaiseSubject
	}
	return s.Budgets.Raise(ctx, auth.From(ctx).Subject, r)
}

// Comparisons returns the comparisons with the vendor's usage of up to limit days, the
// newest first.
func (s *Service) Comparisons(ctx context.Context, limit int) ([]budget.Comparison, error) {
	return s.Comparer.Store.Comparisons(ctx, limit)
}

// Compare compares a day with the vendor's usage now; the zero day is the past one. It
// returns the faults of budget.Comparer.Compare.
func (s *Service) Compare(ctx context.Context, day time.Time) (budget.Comparison, error) {
	return s.Comparer.Compare(ctx, day)
}
