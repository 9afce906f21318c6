// Package portfolio takes what the widget gives to an app, reads the statement in
// it, and keeps it: the payload as it came, and its holdings in one form for all
// asset classes. What is kept is a snapshot and never changes. Who is calling is
// decided before a request gets here; keeping is asked of the store.
package portfolio

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// ErrNotFound: the caller has no such portfolio; somebody else may.
var ErrNotFound = fault.New(fault.NotFound, "portfolio_not_found", "You have no portfolio with this id.")

// CASType is who issued a statement.
type CASType string

// The issuers. CAMS and KFintech issue one statement together.
const (
	CDSL         CASType = "CDSL"
	NSDL         CASType = "NSDL"
	CAMSKFintech CASType = "CAMS_KFINTECH"
)

// Provenance is how far a portfolio is to be believed.
type Provenance string

// Reported: only the browser says that the vendor gave this result.
const Reported Provenance = "reported"

// Class is the asset class of a holding.
type Class string

// The asset classes.
const (
	Equity             Class = "equity"
	ETF                Class = "etf"
	CorporateBond      Class = "corporate_bond"
	GovernmentSecurity Class = "government_security"
	AIF                Class = "aif"
	DematMutualFund    Class = "demat_mutual_fund"
	MutualFund         Class = "mutual_fund"
	Insurance          Class = "insurance"
	NPS                Class = "nps"
	SovereignGoldBond  Class = "sovereign_gold_bond"
	PreferenceShare    Class = "preference_share"
)

// Period is what time a statement is about: its first and last day, YYYY-MM-DD.
type Period struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Investor is whose statement it is. Empty fields were not stated.
type Investor struct {
	Name      string
	PANMasked string // "XXXXXX999A": the last four characters at most
}

// Summary is what a statement says of itself, and what became of its rows:
// ReceivedRows is StoredRows plus one for each of Rejected.
type Summary struct {
	CASType      CASType
	Period       *Period // nil when it is not stated
	Investor     Investor
	TotalValue   decimal.Decimal // rupees; as stated, or else the sum of the holdings
	Counts       map[Class]int
	ReceivedRows int
	StoredRows   int
	Rejected     []fault.Field
	Warnings     []fault.Field
}

// Holding is one row of a statement. Empty strings and null amounts were not stated.
type Holding struct {
	Seq         int // place in the statement, from 0
	Class       Class
	ISIN        string
	Name        string // as it was sent
	Account     string // demat account, folio, policy number or PRAN
	Institution string // depository participant, fund house, insurer or record-keeping agency
	Category    string
	Units       decimal.NullDecimal
	Price       decimal.NullDecimal // rupees for one unit
	Value       decimal.NullDecimal // rupees, like those that follow
	Cost        decimal.NullDecimal
	Gain        decimal.NullDecimal // the only one that may be negative
	SumAssured  decimal.NullDecimal
}

// Statement is a payload that was read.
type Statement struct {
	Summary
	PAN         secret.Text // "" when it is not stated, or not in full
	Holdings    []Holding
	Fingerprint [32]byte // the same for the same statement, however it was written or wrapped
}

// Portfolio is a saved statement of one user.
type Portfolio struct {
	ID         string // "pf_…"
	Subject    string
	Provenance Provenance
	SavedAt    time.Time
	Summary
}

// HoldingID returns the id that callers see of the holding with number seq.
func HoldingID(portfolioID string, seq int) string {
	return "ho_" + strings.TrimPrefix(portfolioID, "pf_") + "_" + strconv.Itoa(seq)
}

// Position is a place in a list of portfolios, newest first.
type Position struct {
	SavedAt time.Time
	ID      string
}

// Saving is everything that one save keeps, all or nothing.
type Saving struct {
	Portfolio Portfolio
	Statement Statement
	Payload   []byte // as it was received
	Record    audit.Record
	Claim     *Claim // completed by the save; nil when the caller sent no key
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
// is not kept again. When a call returns nil the change is durable; when it
// returns an error nothing was changed. DeletePortfolio may return ErrNotFound.
type Keeper interface {
	SavePortfolio(ctx context.Context, s Saving) (Answer, error)
	DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error
}

// Finder reads what is kept of one subject. All but Portfolios may return
// ErrNotFound.
type Finder interface {
	// Portfolios lists up to limit of them past after, newest first; the zero
	// Position is before the newest.
	Portfolios(ctx context.Context, subject string, after Position, limit int) ([]Portfolio, error)
	// LatestPortfolio returns the id of the one whose period ends last, of those
	// the one saved last.
	LatestPortfolio(ctx context.Context, subject string) (id string, err error)
	// Portfolio returns one, and up to limit of its holdings from number first on.
	Portfolio(ctx context.Context, subject, id string, first, limit int) (Portfolio, []Holding, error)
	// Payload returns what was received, byte for byte.
	Payload(ctx context.Context, subject, id string) ([]byte, error)
}
