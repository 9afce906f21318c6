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

// AccountStatement is a portfolio as a statement of a user's accounts.
type AccountStatement struct {
	PortfolioID string
	Owner       int // of the portfolio
	CASType     statement.CASType
	To          string // the last day of the period, YYYY-MM-DD; "" if not stated
	SavedAt     time.Time
	Provenance  Provenance
	Rejected    int            // rows of the statement that are not saved
	Entries     []AccountEntry // the accounts that it lists, by Holding.AccountIndex
	// Unknown is set if it is not known which accounts the statement lists: a release that did
	// not know accounts saved it, and it is not converted yet, or unreadable.
	Unknown bool
}

// AccountEntry is an account in a statement.
type AccountEntry struct {
	Account int // its index in the user's accounts
	Owner   int // whose account it is, as of this statement
	Rows    int // holdings of the account in the statement
}

// Compare orders the statements of a user: it is positive if s tells of accounts later than
// t.
func (s *AccountStatement) Compare(t *AccountStatement) int {
	return cmp.Or(cmp.Compare(s.To, t.To), s.SavedAt.Compare(t.SavedAt), cmp.Compare(s.PortfolioID, t.PortfolioID))
}

// AccountReader reads the accounts of users.
type AccountReader interface {
	// Accounts returns the accounts of subject with their owners, by number, and the
	// statements that list them, the latest first, as they were at one moment.
	Accounts(ctx context.Context, subject string) ([]Account, []Owner, []AccountStatement, error)
	// AccountStatements is Accounts, but the accounts have no number, institution and holders.
	// It decrypts no account.
	AccountStatements(ctx context.Context, subject string) ([]Account, []Owner, []AccountStatement, error)
	// StatementsVersion returns a text that names all statements of subject, by id, with what
	// may change of them: provenance, owner, and whether their accounts are known.
	StatementsVersion(ctx context.Context, subject string) (string, error)
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
