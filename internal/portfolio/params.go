package portfolio

import (
	"strconv"
	"strings"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/statement"
)

// Page sizes.
const (
	defaultLimit = 20
	maxLimit     = 100

	maxTransactionLimit = 1000 // a ledger has more lines than a statement rows
)

// maxTransactions is larger than the number of any transaction: no payload has as many
// bytes.
const maxTransactions = 1 << 30

var (
	errActive  = httpapi.ErrQuery.Withf("active must be true, for active portfolios only, or false.")
	errHolding = fault.New(fault.Invalid, "invalid_holding",
		"holding must be the id of one of this portfolio's own holdings, ho_….")
)

// readActive reads the parameter active: whether only active portfolios are wanted.
func readActive(q *httpapi.Params) bool {
	switch q.Text("active") {
	case "", "false":
	case "true":
		return true
	default:
		q.Fail(errActive)
	}
	return false
}

// readHolding reads the parameter holding: the number of the holding whose transactions
// are wanted, AllHoldings if it was left out.
func readHolding(q *httpapi.Params, portfolioID string) int {
	text := q.Text("holding")
	if text == "" {
		return AllHoldings
	}
	number := text[strings.LastIndexByte(text, '_')+1:]
	seq, err := strconv.Atoi(number)
	if err != nil || seq < 0 || seq >= statement.MaxRows || text != HoldingID(portfolioID, seq) {
		q.Fail(errHolding)
	}
	return seq
}

// readListCursor reads the parameter cursor of the list of portfolios.
func readListCursor(q *httpapi.Params) Cursor {
	at, portfolioID, ok := httpapi.DecodeTimeCursor(q.Text("cursor"), isPortfolioID)
	if !ok {
		q.Fail(httpapi.ErrCursor)
	}
	return Cursor{SavedAt: at, ID: portfolioID}
}

// rowCursor returns the cursor of the row that the next page begins with.
func rowCursor(number int) *string { return new(httpapi.EncodeCursor(strconv.Itoa(number))) }

// readRowCursor reads the parameter cursor of a list of rows: the number of the row that
// the page begins with, at most last.
func readRowCursor(q *httpapi.Params, last int) int {
	text, ok := httpapi.DecodeCursor(q.Text("cursor"))
	if ok && text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > last {
		q.Fail(httpapi.ErrCursor)
	}
	return n
}
