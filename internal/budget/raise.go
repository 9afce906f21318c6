package budget

import (
	"context"
	"slices"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/id"
)

// maxRaise is the longest time for which a budget can be raised.
const maxRaise = 366 * 24 * time.Hour

// Faults of raises.
var (
	ErrNoBudget = fault.New(fault.NotFound, "no_such_budget", "There is no budget with this name in the settings.")
	// ErrUntil is returned for a raise that ends at no possible time.
	ErrUntil = fault.New(fault.Unprocessable, "invalid_until",
		"until must be a time in the future, at most a year away, such as 2036-04-01T10:00:00Z.").
		At(fault.Field{Pointer: "/until", Detail: "must be a time in the future, at most a year away"})
	// ErrCredits is returned for a raise by no possible amount.
	ErrCredits = fault.New(fault.Unprocessable, "invalid_credits",
		`credits must be a text with a number above 0, with at most 3 decimal places, such as "5" or "0.2".`).
		At(fault.Field{Pointer: "/credits", Detail: `must be a text such as "5"`})

	errSubject = fault.New(fault.Unprocessable, "invalid_subject",
		"subject must be given for a budget that each user has, and for no other: the verifier, a colon and the id of the user, such as app:42.").
		At(fault.Field{Pointer: "/subject", Detail: "must be given for a budget of the scope user, and for no other"})
	errApp = fault.New(fault.Unprocessable, "invalid_app",
		"app must be the name of a verifier for a budget that each app has, and be left out for any other.").
		At(fault.Field{Pointer: "/app", Detail: "must be given for a budget of the scope app, and for no other"})
)

// RaiseStore stores raises.
type RaiseStore interface {
	// AddRaise stores r with an audit record.
	AddRaise(ctx context.Context, r Raise, record audit.Record) error
}

// Raise makes a budget larger by r.Credits until r.Until, on behalf of actor. Of r it also
// uses Budget, Subject and App. It returns ErrNoBudget, ErrUntil, ErrCredits, or a fault for
// a subject or app that does not fit the budget.
func (s *Service) Raise(ctx context.Context, actor string, r Raise) (Raise, error) {
	now := s.Ledger.Now()
	b, found := s.find(r.Budget)
	switch {
	case !found:
		return Raise{}, ErrNoBudget
	case r.Credits <= 0:
		return Raise{}, ErrCredits
	case !r.Until.After(now) || r.Until.Sub(now) > maxRaise:
		return Raise{}, ErrUntil
	case (b.Scope == User) != (r.Subject != ""), r.Subject != "" && !s.serves(b, apikey.AppOf(r.Subject)):
		return Raise{}, errSubject
	}
	if b.Scope == App && r.App == "" {
		r.App = b.App
	}
	if (b.Scope == App) != (r.App != "") || r.App != "" && !s.serves(b, r.App) {
		return Raise{}, errApp
	}
	r.ID, r.At, r.Actor, r.Until = id.New("br"), now, actor, r.Until.UTC().Truncate(time.Millisecond)
	detail := "by " + r.Credits.String() + " until " + r.Until.Format(time.RFC3339)
	if r.App != "" {
		detail += " for " + r.App
	}
	return r, s.Store.AddRaise(ctx, r, audit.New(ctx, now, actor, audit.BudgetRaise, r.Subject, b.Name).WithDetail(detail))
}

// serves reports whether b is for the calls of app, and there is that app.
func (s *Service) serves(b Budget, app string) bool {
	return b.concerns(app) && slices.Contains(s.Apps, app)
}

// Raises returns the raises in force, the oldest first.
func (s *Service) Raises(ctx context.Context) ([]Raise, error) {
	return s.Store.Raises(ctx, s.Ledger.Now())
}
