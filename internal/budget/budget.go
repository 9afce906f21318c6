package budget

import (
	"slices"
	"time"

	"casbroker/internal/credit"
	"casbroker/internal/fault"
)

// Scope says whose calls are counted together.
type Scope string

// The scopes.
const (
	User Scope = "user" // each user has its own
	App  Scope = "app"  // each app has its own; an app is a verifier of user tokens
	All  Scope = "all"
)

// Period says when a budget renews: at the beginning of a day or a month of UTC.
type Period string

// The periods.
const (
	Day   Period = "day"
	Month Period = "month"
)

// Start returns the beginning of the period that contains t.
func (p Period) Start(t time.Time) time.Time {
	t = t.UTC()
	day := t.Day()
	if p == Month {
		day = 1
	}
	return time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, time.UTC)
}

// End returns the beginning of the period after the one that begins at start.
func (p Period) End(start time.Time) time.Time {
	if p == Month {
		return start.AddDate(0, 1, 0)
	}
	return start.AddDate(0, 0, 1)
}

// Budget bounds the credits of a period.
type Budget struct {
	Name    string
	Scope   Scope
	App     string // the only app that it is for; "" for all apps
	Period  Period
	Credits credit.Amount
	Soft    bool // it is reported when it is reached, and refuses nothing
}

// concerns reports whether a call of app counts.
func (b Budget) concerns(app string) bool { return b.App == "" || b.App == app }

// counter returns the one of counters that b bounds.
func (b Budget) counter(counters []Counter) int {
	return slices.IndexFunc(counters, func(c Counter) bool { return c.Scope == b.Scope && c.Period == b.Period })
}

// Counter identifies the credits of one user, app or all in one period.
type Counter struct {
	Scope  Scope
	Who    string // the keyed hash of the user, or the app; "" for All
	Period Period
	Starts time.Time
}

// CountersAt returns the counters at now of a user, given as its keyed hash, of an app. All
// replicas lock them in this order: the ones that most calls share come last.
func CountersAt(now time.Time, who, app string) []Counter {
	list := make([]Counter, 0, 6)
	for _, c := range []Counter{{Scope: User, Who: who}, {Scope: App, Who: app}, {Scope: All}} {
		for _, p := range []Period{Day, Month} {
			c.Period, c.Starts = p, p.Start(now)
			list = append(list, c)
		}
	}
	return list
}

// Raise makes a budget larger for a while.
type Raise struct {
	ID      string        `json:"id"`                // "br_…"
	Budget  string        `json:"budget"`            // its name
	Subject string        `json:"subject,omitempty"` // whose budget it is, with the scope User
	App     string        `json:"app,omitempty"`     // whose budget it is, with the scope App
	Credits credit.Amount `json:"credits"`
	Until   time.Time     `json:"until"`
	At      time.Time     `json:"at"`
	Actor   string        `json:"actor"`
}

// raised returns by how much raises enlarge b for a user of an app.
func (b Budget) raised(raises []Raise, subject, app string) (sum credit.Amount) {
	for _, r := range raises {
		if r.Budget != b.Name ||
			b.Scope == User && r.Subject != subject ||
			b.Scope == App && r.App != app {
			continue
		}
		sum += r.Credits
	}
	return sum
}

// ErrExhausted is returned for a call that a budget does not allow.
var ErrExhausted = fault.New(fault.Exhausted, "budget_exhausted", "The budget for this service is used up.")

// exhausted returns the ErrExhausted of b.
func (b Budget) exhausted(now time.Time) error {
	renews := b.Period.End(b.Period.Start(now))
	whose := "This app's budget"
	if b.Scope == User {
		whose = "Your budget"
	}
	return ErrExhausted.Withf("%s for importing statements is used up. It renews on %s UTC.",
		whose, renews.Format("2 January 2006 at 15:04")).
		WithNotef("Budget %s; to raise it for a while, use broker budgets raise.", b.Name).
		After(renews.Sub(now))
}
