package statement

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// CASType identifies the issuer of a statement.
type CASType string

// The issuers. CAMS and KFintech issue one statement together.
const (
	CDSL         CASType = "CDSL"
	NSDL         CASType = "NSDL"
	CAMSKFintech CASType = "CAMS_KFINTECH"
)

// Depository reports whether the issuer is a depository. Statements of depositories
// list funds and securities; the others list only funds.
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

// Period is the time that a statement covers: its first and last day, YYYY-MM-DD.
type Period struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Complete reports whether all rows of the statement are stored.
func (s *Summary) Complete() bool { return s.StoredRows == s.ReceivedRows }

// Investor is the person to whom the statement is addressed. Empty fields were not stated.
type Investor struct {
	Name      string
	PANMasked string // "XXXXXX999A": at most the last four characters
}

// Summary describes a statement and the result of reading its rows: ReceivedRows is
// StoredRows plus len(Rejected). Transactions are not rows.
type Summary struct {
	CASType          CASType
	Period           *Period // nil if not stated
	Investor         Investor
	TotalValue       decimal.Decimal // rupees; as stated, otherwise the sum of the holdings
	Counts           map[Class]int   // holdings of each class
	ReceivedRows     int
	StoredRows       int
	TransactionCount int // without those that were left out
	Rejected         []fault.Field
	Warnings         []fault.Field
}

// Holding is one row of a statement. Empty strings and null amounts were not stated.
type Holding struct {
	Seq     int // position in the statement, from 0
	Class   Class
	ISIN    string
	Name    string // as sent
	Account string // demat account, folio, policy number or PRAN, as stated
	// AccountIndex is the index of the account in Statement.Accounts.
	AccountIndex int
	Institution  string // depository participant, fund house, insurer or record-keeping agency
	Category     string // type of a scheme, or tier of a pension account
	Units        decimal.NullDecimal
	Price        decimal.NullDecimal // rupees for one unit
	Value        decimal.NullDecimal // rupees, like those that follow
	Cost         decimal.NullDecimal
	Gain         decimal.NullDecimal // the only amount that may be negative
	SumAssured   decimal.NullDecimal
	// InDemat is set for a scheme of a folio whose units are held in a demat account, which
	// is likely to list them, too.
	InDemat bool
}

// Transaction is one line of a holding's ledger. Empty strings and null amounts were
// not stated. All amounts may be negative.
type Transaction struct {
	Seq     int    // position in the statement, from 0; a holding's transactions are adjacent
	Holding int    // Seq of the holding
	Date    string // YYYY-MM-DD
	Type    string // upper case; usually one of the vendor's types
	// Description is the line of the statement, as sent. It may name people and folios.
	Description string
	Units       decimal.NullDecimal
	NAV         decimal.NullDecimal // rupees for one unit
	Amount      decimal.NullDecimal // rupees
	Balance     decimal.NullDecimal // units after the transaction
}

// Statement is the result of Parse.
type Statement struct {
	Summary
	PAN          secret.Text // the header's: ten characters, '*' for each masked one; "" if not stated or not valid
	Accounts     []Account   // in order of appearance; each has a holding or a stated value
	Holdings     []Holding
	Transactions []Transaction // by holding, then in the order in which they were sent
	Fingerprint  [32]byte      // identifies the statement, however it is written or wrapped
	// Metadata is what the widget says about the import, a compact JSON object such as
	// {"filename":"cas.pdf"}; nil without any. It is no part of the statement.
	Metadata jsontext.Value `json:",omitzero"`
}
