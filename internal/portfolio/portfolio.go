// Package portfolio takes what the widget gives to an app and keeps it: the
// payload as it came, and its holdings in one form for all asset classes. What is
// kept is a snapshot and never changes. What a payload says is read by package
// statement; who is calling is decided before a request gets here; keeping is
// asked of the store.
package portfolio

import (
	"context"
	"strconv"
	"strings"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// Failures of keeping and finding.
var (
	// ErrNotFound: the caller has no such portfolio; somebody else may.
	ErrNotFound = fault.New(fault.NotFound, "portfolio_not_found", "You have no portfolio with this id.")
	// ErrOtherOwner: the statement's PAN contradicts those of the user's earlier
	// statements, and the settings refuse such.
	ErrOtherOwner = fault.New(fault.Conflict, "other_owner",
		"This statement has another PAN than the ones that you saved before; it was not kept.")
	// ErrUnreadable: what was kept is there, but does not open: the key that it was
	// sealed under is not there or another one now, or it is damaged. It takes an
	// operator to mend that.
	ErrUnreadable = fault.New(fault.Unavailable, "portfolio_unreadable",
		"This portfolio does not open with the keys that the broker has; its operator can put the right one back.").After(5 * time.Minute)
)

// Provenance is how far a portfolio is to be believed.
type Provenance string

// Reported: only the browser says that the vendor gave this result.
const Reported Provenance = "reported"

// Portfolio is a saved statement of one user.
type Portfolio struct {
	ID         string // "pf_…"
	Subject    string
	Provenance Provenance
	SavedAt    time.Time
	Owner      int  // whose of the user's statements it is, from 1: those with PANs that contradict are kept apart
	Active     bool // it is the one of its owner that counts
	Unreadable bool // it does not open with the keys that are there: no Investor, no accounts, no payload
	statement.Summary
}

// HoldingID returns the id that callers see of the holding with number seq.
func HoldingID(portfolioID string, seq int) string {
	return "ho_" + strings.TrimPrefix(portfolioID, "pf_") + "_" + strconv.Itoa(seq)
}

// TransactionID returns the id that callers see of the transaction with number seq.
func TransactionID(portfolioID string, seq int) string {
	return "tx_" + strings.TrimPrefix(portfolioID, "pf_") + "_" + strconv.Itoa(seq)
}

// Position is a place in a list of portfolios, newest first.
type Position struct {
	SavedAt time.Time
	ID      string
}

// Query says which portfolios to list, newest first.
type Query struct {
	After      Position // the zero Position is before the newest
	Limit      int
	ActiveOnly bool
}

// AllHoldings stands for every holding where one could be named.
const AllHoldings = -1

// Saving is everything that one save keeps, all or nothing.
type Saving struct {
	Portfolio Portfolio
	Statement statement.Statement
	Payload   []byte // as it was received
	// RefuseOther has a statement refused with ErrOtherOwner that otherwise would be
	// kept apart.
	RefuseOther bool
	Record      audit.Record
	Claim       *Claim // completed by the save; nil when the caller sent no key
	// Render makes the body of the answer from the portfolio that is there now.
	Render func(p Portfolio, created bool) ([]byte, error)
}

// Answer is how a save ended.
type Answer struct {
	PortfolioID string
	Created     bool   // false: the statement was there already
	Body        []byte // JSON
	Replayed    bool   // it is the answer to an earlier request with the same key
}

// Keeper changes what is kept. A statement whose fingerprint the user has already
// is not kept again, unless the copy that is there does not open: that one is
// written anew. When a call returns nil the change is durable; when it returns an
// error nothing was changed, unless the error says that this is not known. It decides in the same transaction whose
// statement it is and which one of that owner is active. SavePortfolio may return
// ErrOtherOwner, DeletePortfolio ErrNotFound.
type Keeper interface {
	SavePortfolio(ctx context.Context, s Saving) (Answer, error)
	DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error
}

// Finder reads what is kept of one subject. All but Portfolios may return
// ErrNotFound.
type Finder interface {
	Portfolios(ctx context.Context, subject string, q Query) ([]Portfolio, error)
	// LatestPortfolio returns the id of the first owner's one whose period ends last,
	// of those the one saved last.
	LatestPortfolio(ctx context.Context, subject string) (id string, err error)
	// Portfolio returns one, and up to limit of its holdings from number first on.
	Portfolio(ctx context.Context, subject, id string, first, limit int) (Portfolio, []statement.Holding, error)
	// Transactions returns up to limit of a portfolio's transactions from number
	// first on; those of one holding if holding is not AllHoldings.
	Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error)
	// Payload returns what was received, byte for byte, or ErrUnreadable.
	Payload(ctx context.Context, subject, id string) ([]byte, error)
}
