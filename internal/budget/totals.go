package budget

import (
	"context"
	"time"

	"casbroker/internal/credit"
)

// Dimension is what totals are added up by.
type Dimension string

// The dimensions.
const (
	ByDay     Dimension = "day" // of UTC, on which the calls began
	ByFeature Dimension = "feature"
	ByApp     Dimension = "app"
	ByKey     Dimension = "key"
	BySubject Dimension = "subject"
)

// Total has the sums of calls that have ended. Of Day, Feature, App, KeyName and Subject it
// has those that it is added up by.
type Total struct {
	Day     time.Time
	Feature string
	App     string
	KeyName string
	Subject string // "" for users whose data was erased

	Calls    int64
	Failures int64 // of Calls
	Credits  credit.Amount
}

// TotalsQuery selects totals.
type TotalsQuery struct {
	Subject  string    // "" for all
	From, To time.Time // days; To is not included
	By       []Dimension
	// Costliest, unless it is 0, is how many totals to return, those with the most credits
	// first, without those of users whose data was erased. Otherwise all are returned, in
	// the order of By.
	Costliest int
}

// Use says how much of a budget is used in one period, by those that have one each.
type Use struct {
	Holders   int           // users or apps that have used some
	Exhausted int           // those that have used all of it
	Most      credit.Amount // the most that one has used
}

// Totals reads what was recorded.
type Totals interface {
	// CallTotals returns the totals that match q.
	CallTotals(ctx context.Context, q TotalsQuery) ([]Total, error)
	// CounterSums returns the credits of each counter, with those that are reserved.
	CounterSums(ctx context.Context, counters []Counter) ([]credit.Amount, error)
	// BudgetUse returns how much of b is used in the period that begins at starts.
	BudgetUse(ctx context.Context, b Budget, starts time.Time) (Use, error)
	// OpenCalls returns the number of open calls and the credits that they reserve.
	OpenCalls(ctx context.Context) (n int, reserved credit.Amount, err error)
	// Raises returns the raises in force at now, the oldest first.
	Raises(ctx context.Context, now time.Time) ([]Raise, error)
	// Calls returns up to limit calls of subject, the oldest first, after the given one;
	// the zero Call is before the oldest.
	Calls(ctx context.Context, subject string, after Call, limit int) ([]Call, error)
}
