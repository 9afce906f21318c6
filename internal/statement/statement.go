// Package statement reads consolidated account statements: the JSON that the
// vendor makes of one, in any of the forms in which its widget hands it over. It
// tells what a statement holds, row by row, what of it could not be taken, and
// what is odd about it; keeping it is left to others.
package statement

import (
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// CASType is who issued a statement.
type CASType string

// The issuers. CAMS and KFintech issue one statement together.
const (
	CDSL         CASType = "CDSL"
	NSDL         CASType = "NSDL"
	CAMSKFintech CASType = "CAMS_KFINTECH"
)

// Depository reports whether the issuer is a depository, whose statements list
// funds and securities; the others list funds alone.
func (t CASType) Depository() bool { return t == CDSL || t == NSDL }

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
// ReceivedRows is StoredRows plus one for each of Rejected. Transactions are
// counted apart from the rows.
type Summary struct {
	CASType          CASType
	Period           *Period // nil when it is not stated
	Investor         Investor
	TotalValue       decimal.Decimal // rupees; as stated, or else the sum of the holdings
	Counts           map[Class]int
	ReceivedRows     int
	StoredRows       int
	TransactionCount int // that are kept
	Rejected         []fault.Field
	Warnings         []fault.Field
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

// Transaction is one line of a holding's ledger. Empty strings and null amounts
// were not stated; all amounts may be negative.
type Transaction struct {
	Seq     int    // place in the statement, from 0; those of one holding are next to one another
	Holding int    // Seq of the holding that it belongs to
	Date    string // YYYY-MM-DD
	Type    string // in upper case: one of the vendor's types, or what else was sent
	Units   decimal.NullDecimal
	NAV     decimal.NullDecimal // rupees for one unit
	Amount  decimal.NullDecimal // rupees
	Balance decimal.NullDecimal // units after it
}

// Statement is a payload that was read.
type Statement struct {
	Summary
	PAN          secret.Text // ten characters, '*' for each that is hidden; "" when it is not stated
	Holdings     []Holding
	Transactions []Transaction // by holding, then as they were sent
	Fingerprint  [32]byte      // the same for the same statement, however it was written or wrapped
}
