package portfolio

import (
	"cmp"
	"context"
	"strings"
	"time"

	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

// Owner is a person whose accounts a user's statements list. Empty fields are not known.
type Owner struct {
	Number    int // from 1
	Name      string
	PANMasked string // "XXXXXX999A": at most the last four characters
	Accounts  int    // of this owner: in one statement, or in all
	// User is set for the owner of most of the user's statements. It is not set for the
	// owners of one statement.
	User bool
}

// Holder is a person who holds an account. Empty fields are not stated.
type Holder struct {
	Name      string `json:"name,omitzero"`
	PANMasked string `json:"pan_masked,omitzero"`
}

// ListedAccount is an account as a statement lists it. Empty fields are not stated, or the
// portfolio is unreadable.
type ListedAccount struct {
	ID          string // "ac_…": the same in all statements of a user, from all issuers
	Kind        statement.AccountKind
	Owner       int // the number of an Owner
	Number      string
	Institution string
	Holders     []Holder // the first holder first
}

// Account is a demat account, folio, policy or pension account of a user, as the
// statement lists it that covers it latest.
type Account struct {
	ListedAccount
	FirstSeen  time.Time // when the first of the statements that list it was saved
	LastSeen   time.Time // when the last of them was saved
	Statements int       // that list it
}

// AccountMetadata is what operators see of an account: no encrypted data.
type AccountMetadata struct {
	ID         string                `json:"id"`
	Kind       statement.AccountKind `json:"kind"`
	Owner      int                   `json:"owner"`
	Statements int                   `json:"statements"` // that list it
	FirstSeen  time.Time             `json:"first_seen"`
	LastSeen   time.Time             `json:"last_seen"`
}

// AccountStatement is an entry of an account in a statement.
type AccountStatement struct {
	// AccountID is the account. It is "" in an entry of a statement that lists no account of
	// its owner, and in the only entry of an Unknown one.
	AccountID   string
	PortfolioID string
	Index       int // of the account in the statement: Holding.AccountIndex
	Owner       int // whose account it is, as of this statement
	Rows        int // holdings of the account in the statement
	CASType     statement.CASType
	To          string // the last day of the period, YYYY-MM-DD; "" if not stated
	SavedAt     time.Time
	Provenance  Provenance
	Rejected    int // rows of the statement that are not saved
	// Unknown is set if it is not known which accounts the statement lists: a release that did
	// not know accounts saved it, and it is not converted yet, or unreadable.
	Unknown bool
}

// Compare orders the statements that list an account: it is positive if a covers the
// account later than b.
func (a AccountStatement) Compare(b AccountStatement) int {
	return cmp.Or(cmp.Compare(a.To, b.To), a.SavedAt.Compare(b.SavedAt), cmp.Compare(a.PortfolioID, b.PortfolioID))
}

// AccountReader reads the accounts of users.
type AccountReader interface {
	// Accounts returns the accounts of subject with their owners, by number, and the
	// statements that list them, the latest first, as they were at one moment. The entries of
	// a statement are next to each other.
	Accounts(ctx context.Context, subject string) ([]Account, []Owner, []AccountStatement, error)
}

// MaskPAN returns a PAN of ten characters with at most the last four visible, "" for none.
func MaskPAN(pan secret.Text) string {
	if len(pan) != panSize {
		return ""
	}
	return "XXXXXX" + strings.ReplaceAll(pan.Reveal()[6:], "*", "X")
}

// panSize is the number of characters of a PAN.
const panSize = 10
