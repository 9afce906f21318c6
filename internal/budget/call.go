package budget

import (
	"context"
	"strings"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/credit"
)

// Delivery says what became of a call at the vendor.
type Delivery string

// The deliveries.
const (
	Open     Delivery = ""         // the call has not ended
	NotSent  Delivery = "not_sent" // the vendor did not get it
	Answered Delivery = "answered" // the vendor said whether it costs credits
	Rejected Delivery = "rejected" // the vendor refused the API key, for its rate or its credits too; its usage may not have it
	Unknown  Delivery = "unknown"  // no answer; it counts with its price
)

// OutcomeOK is the outcome of calls that succeeded, OutcomeUnknown that of calls whose end
// was not recorded. Package gateway has the others.
const (
	OutcomeOK      = "ok"
	OutcomeUnknown = "unknown"
)

// Call is a call of the vendor's API, or a mail for which the vendor charges.
type Call struct {
	ID        string // "gc_…"
	Subject   string // "" once the user's data was erased
	Who       string // the keyed hash of the subject; "" once the data was erased and the call has ended
	App       string
	GrantID   string
	RequestID string
	KeyName   string // of the API key; "" while it is not known
	Feature   string // as the vendor's usage names it, such as smart_parser
	StartedAt time.Time
	LeaseEnds time.Time // when an open call is settled as Unknown
	Reserved  credit.Amount

	// An open call has none of these.
	EndedAt  time.Time
	Outcome  string
	Reason   string // the code of the failure; "" without one
	Delivery Delivery
	Used     credit.Amount

	PortfolioID string // that was saved from the answer; "" for none
}

// Counters returns the counters of the call.
func (c Call) Counters() []Counter { return CountersAt(c.StartedAt, c.Who, c.App) }

// Failed reports whether the call has ended without success.
func (c Call) Failed() bool { return c.Outcome != OutcomeOK }

// ParsesStatement reports whether the call is for the vendor to parse a statement.
func (c Call) ParsesStatement() bool {
	return c.Feature == "smart_parser" || strings.HasSuffix(c.Feature, "_cas_parser")
}

// Result is how a call ended.
type Result struct {
	Outcome  string
	Reason   string
	KeyName  string
	Delivery Delivery      // not Open
	Used     credit.Amount // with Unknown, the price that was reserved counts instead
}

// Reached says that a budget was reached for the first time in a period.
type Reached struct {
	Budget  Budget
	Counter Counter
	Subject string // whose budget it is, with the scope User
	At      time.Time
	Record  audit.Record // stored together with it
}

// Check decides about a call whose price was added to its counters, which are sums now.
// raises returns those in force. It returns the soft budgets that are reached, or an error
// if the call must not be made.
type Check func(sums []credit.Amount, raises func() ([]Raise, error)) ([]Reached, error)

// Store stores calls and credits. What it has confirmed is committed, and the same on all
// replicas. BeginCall and EndCall need not wait until it is on the disk.
type Store interface {
	// BeginCall stores an open call, adds its price to counters and calls check, unless that
	// is nil. If check fails, nothing is stored. It returns those budgets of check that were not reached
	// earlier in the period, with an audit record of each.
	BeginCall(ctx context.Context, c Call, counters []Counter, check Check) ([]Reached, error)
	// EndCall ends an open call, adds it to the totals of its day, and adds the difference
	// to what was reserved to its counters. It returns false if the call is not open.
	EndCall(ctx context.Context, id string, r Result, at time.Time) (Call, bool, error)
	// AddCall stores a call that has ended, unless one with its id is stored. It reports
	// whether it did.
	AddCall(ctx context.Context, c Call) (bool, error)
	// OverdueCalls returns the ids of up to limit open calls whose lease ended at now or
	// before.
	OverdueCalls(ctx context.Context, now time.Time, limit int) ([]string, error)
	// MarkReached records that a budget was reached. It reports whether that is news.
	MarkReached(ctx context.Context, r Reached) (bool, error)
}
