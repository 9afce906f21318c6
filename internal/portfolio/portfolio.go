// Package portfolio saves statements that apps receive from the vendor's widget, and
// reads them back. A saved portfolio is an immutable snapshot: the payload byte for byte,
// and its holdings in one form for all asset classes. Package statement parses payloads,
// and the store saves them.
//
//	payload ─ receive (size, gzip) ─ statement.Parse ─ Store.SavePortfolio ─ answer
//	                                                    │ same fingerprint: the saved one
//	                                                    │ PAN: owner; rank: active or not
//	GET /v1/holdings ─ Reader.AccountStatements ─ Cover (which statement counts) ─ Reader.Rows ─ Consolidate ─ answer
//	answer of the vendor ─ Captures ─ KeepCapture ─ statement.Parse ─ Store.SavePortfolio (Verified)
package portfolio

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// Faults of saving and reading.
var (
	// ErrNotFound: the caller has no such portfolio; another user may have it.
	ErrNotFound = fault.New(fault.NotFound, "portfolio_not_found", "You have no portfolio with this id.")
	// ErrOtherOwner: the statement's PAN contradicts that of most of the user's
	// statements, and the settings refuse such statements.
	ErrOtherOwner = fault.New(fault.Conflict, "other_owner",
		"This statement has a different PAN than your earlier ones; it was not saved.")
	// ErrUnreadable: the stored data cannot be decrypted; its key is missing or wrong, or
	// it is corrupt.
	ErrUnreadable = fault.New(fault.Unavailable, "portfolio_unreadable",
		"The private data of this portfolio cannot be read at the moment; the operator of this service has to resolve this.").
		After(5 * time.Minute).WithNotef("The data cannot be decrypted; put the key that encrypted it back into seal.keys.")
)

// Provenance is the source of the claim that the vendor produced a statement.
type Provenance string

const (
	// Reported: only the browser claims that the vendor produced the statement.
	Reported Provenance = "reported"
	// Verified: the broker itself received the statement from the vendor.
	Verified Provenance = "verified"
)

// Portfolio is a saved statement of one user.
type Portfolio struct {
	ID         string // "pf_…"
	Subject    string
	Provenance Provenance
	SavedAt    time.Time
	Owner      int       // the number of an owner: the person to whom the statement is addressed
	OfOther    bool      // the PAN of its owner contradicts that of the owner of most portfolios
	Active     bool      // the highest Rank of its owner
	Unreadable bool      // not decryptable: without Investor, account numbers and payload
	ObservedAt time.Time // when the vendor last gave it to the broker; zero unless Verified
	// Differs is set if it is Reported and differs from what the vendor gave the broker.
	// Differences are the JSON pointers, in the payload, of up to maxDifferences
	// differences.
	Differs     bool
	Differences []string
	// Metadata is what the page said about the import, a JSON object; nil for nothing. It is
	// that of the first save that had any. MetadataAdded is set if that came later than the
	// payload, which does not have it.
	Metadata      jsontext.Value
	MetadataAdded bool
	// Owners has its owner and the owners of its accounts, by number; nil if it was saved by a
	// release that did not know accounts, and is not converted yet.
	Owners   []Owner
	Accounts []ListedAccount // by index in the statement; nil like Owners
	// Version is another text after each change of the portfolio. It is set where holdings are
	// read with it.
	Version string
	statement.Summary
}

// Metadata is what operators see of a portfolio: no encrypted data and no amounts.
type Metadata struct {
	ID           string            `json:"id"`
	SavedAt      time.Time         `json:"saved_at"`
	Provenance   Provenance        `json:"provenance"`
	CASType      statement.CASType `json:"cas_type"`
	Period       statement.Period  `json:"period,omitzero"` // zero if not stated
	Owner        int               `json:"owner"`
	Active       bool              `json:"active"`
	Holdings     int               `json:"holdings"`     // saved rows
	Rejected     int               `json:"rejected"`     // rows that were not saved
	Transactions int               `json:"transactions"` // saved rows
}

// HoldingID returns the public id of the holding with number seq.
func HoldingID(portfolioID string, seq int) string {
	return "ho_" + strings.TrimPrefix(portfolioID, "pf_") + "_" + strconv.Itoa(seq)
}

// TransactionID returns the public id of the transaction with number seq.
func TransactionID(portfolioID string, seq int) string {
	return "tx_" + strings.TrimPrefix(portfolioID, "pf_") + "_" + strconv.Itoa(seq)
}

// Cursor is a position in a list of portfolios, newest first.
type Cursor struct {
	SavedAt time.Time
	ID      string
}

// Query selects the portfolios of a list, newest first.
type Query struct {
	After      Cursor // the zero Cursor starts with the newest
	Limit      int
	ActiveOnly bool
	Only       Only
}

// Rows are the rows of a portfolio, without its transactions.
type Rows struct {
	Accounts []statement.Account
	Holdings []statement.Holding // by their numbers
}

// Copy is everything that is stored of a portfolio. If something cannot be decrypted, it is
// nil and the portfolio is Unreadable.
type Copy struct {
	Portfolio
	Holdings     []statement.Holding // not nil, if they can be decrypted
	Transactions EachTransaction
	Payload      []byte // as received
}

// EachTransaction calls yield for the transactions of a portfolio from number first on, until
// that returns false.
type EachTransaction func(first int, yield func(*statement.Transaction) bool) error

// AllHoldings selects the transactions of every holding.
const AllHoldings = -1

// SaveRequest is everything that one save stores, in one transaction.
type SaveRequest struct {
	Portfolio Portfolio
	Statement statement.Statement
	Payload   []byte // as received
	// RefuseOther refuses a statement of another owner with ErrOtherOwner.
	RefuseOther bool
	Quota       Quota // refuses a statement that is not stored yet with ErrQuota
	Record      audit.Record
	Differs     *audit.Record // added if a portfolio is created; nil unless it differs
	Claim       *Claim        // completed by the save; nil without an Idempotency-Key
	Capture     string        // the id of the capture that is saved, and deleted by the save; "" without one
	Job         string        // that is done when its capture is saved; "" without one
	// ObservedSince makes a Reported statement Verified if it equals a capture of that time
	// or later that is matched. Zero means that there are none.
	ObservedSince time.Time
	// Render returns the body of the answer for the portfolio that is stored.
	Render func(p Portfolio, created bool) ([]byte, error)
}

// SaveResult is the result of a save.
type SaveResult struct {
	PortfolioID string
	Created     bool   // false if the statement was saved before
	Body        []byte // JSON
	Replayed    bool   // Body is the answer to an earlier request with the same key
}

// Store saves and deletes portfolios. A statement whose fingerprint the user already has
// is not saved again, unless the saved copy is unreadable, which is then replaced. A save
// decides in its transaction who the owner is and which portfolio of that owner is active.
// A save of a Verified statement makes the stored one Verified. Metadata is added to a
// stored portfolio that has none.
//
// After a nil error the change is durable. After an error nothing has changed, unless
// the error says that the result is unknown. SavePortfolio may return ErrOtherOwner,
// ErrQuota and ErrNoCapture, DeletePortfolio ErrNotFound.
type Store interface {
	SavePortfolio(ctx context.Context, s SaveRequest) (SaveResult, error)
	DeletePortfolio(ctx context.Context, subject, id string, r audit.Record) error
}

// Reader reads the portfolios of one subject. All methods but Portfolios may return
// ErrNotFound.
type Reader interface {
	Portfolios(ctx context.Context, subject string, q Query) ([]Portfolio, error)
	// Latest returns the user's own portfolio whose period ends last, of several one that does
	// not differ from what the vendor gave, and of those the one saved last, with all its
	// holdings. It may return ErrUnreadable.
	Latest(ctx context.Context, subject string) (Portfolio, []statement.Holding, error)
	// LatestVersion returns the Version of what Latest returns, without reading the rest.
	LatestVersion(ctx context.Context, subject string) (string, error)
	// Portfolio returns a portfolio and up to limit of its holdings, from number first on. It
	// may return ErrUnreadable if limit is not 0.
	Portfolio(ctx context.Context, subject, id string, first, limit int) (Portfolio, []statement.Holding, error)
	// PortfolioVersion returns the Version of a portfolio, without reading the rest.
	PortfolioVersion(ctx context.Context, subject, id string) (string, error)
	// Transactions returns up to limit transactions of a portfolio, from number first on,
	// of one holding or of AllHoldings, or ErrUnreadable.
	Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error)
	// Copy returns everything that is stored of a portfolio, as it was at one moment.
	Copy(ctx context.Context, subject, id string) (Copy, error)
	// Payload returns the payload as received, or ErrUnreadable.
	Payload(ctx context.Context, subject, id string) ([]byte, error)
	AccountReader
	// Rows returns the holdings and accounts of several portfolios by their ids, as they were
	// at one moment, or ErrUnreadable. It leaves out those that subject does not have.
	Rows(ctx context.Context, subject string, ids []string) (map[string]Rows, error)
	// Observed returns the ids of a few Verified portfolios, and captures that are matched,
	// with the issuer and period of st that the vendor gave since then, the latest first;
	// none if st is one of them.
	Observed(ctx context.Context, subject string, st *statement.Statement, since time.Time) ([]string, error)
	// Capture returns a capture, ErrNoCapture or ErrUnreadable.
	Capture(ctx context.Context, id string) (Capture, error)
	// Stored returns what is stored for subject. A subject without portfolios is no error.
	Stored(ctx context.Context, subject string) (Stored, error)
}

// MetadataReader reads portfolios and accounts without decrypting anything. It returns up to
// limit of those of subject, newest first, and the total number.
type MetadataReader interface {
	PortfolioMetadata(ctx context.Context, subject string, limit int) (list []Metadata, total int, err error)
	AccountMetadata(ctx context.Context, subject string, limit int) (list []AccountMetadata, total int, err error)
}
