package portfolio

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/httpapi"
	"casbroker/internal/spreadsheet"
)

// typeCSV is the media type of a CSV whose first line names its columns
// (RFC 4180, section 3).
const typeCSV = "text/csv; charset=utf-8; header=present"

var (
	errFormat  = httpapi.ErrQuery.Withf("format must be json or csv.")
	errCSVPage = httpapi.ErrQuery.Withf("A CSV has everything at once: leave limit and cursor out, or ask for JSON.")
)

// wantsCSV reports whether the answer should be CSV instead of JSON. The parameter
// format decides; without it, an Accept header that names text/csv does. An unknown
// format makes q fail.
func wantsCSV(q *httpapi.Params, h http.Header) bool {
	switch q.Text("format") {
	case "csv":
		return true
	case "json":
	case "":
		return strings.Contains(strings.ToLower(strings.Join(h.Values("Accept"), ",")), "text/csv")
	default:
		q.Fail(errFormat)
	}
	return false
}

// columns are columns of all CSVs, named as in JSON. That of a portfolio has accountColumns
// after them, that of what a user owns ownedColumns before them.
var (
	columns = []string{
		"id", "class", "isin", "name", "account", "institution", "category",
		"units", "price", "value", "cost", "gain", "sum_assured",
	}
	accountColumns = []string{"account_id", "owner"}
	ownedColumns   = []string{"owner", "account_id", "portfolio_id", "as_of", "provenance"}
)

// renderCSV returns holdings as CSV.
func renderCSV(holdings []holdingView) ([]byte, error) {
	lines := make([][]string, 1, 1+len(holdings))
	lines[0] = slices.Concat(columns, accountColumns)
	for i := range holdings {
		h := &holdings[i]
		lines = append(lines, append(h.cells(), cell(h.AccountID), strconv.Itoa(h.Owner)))
	}
	return writeCSV(lines)
}

// renderOwnedCSV returns the rows of v as CSV.
func renderOwnedCSV(v *View) ([]byte, error) {
	lines := make([][]string, 1, 1+len(v.Rows))
	lines[0] = slices.Concat(ownedColumns, columns)
	for _, r := range v.Rows {
		a := &v.Accounts[r.Account]
		holding := viewHolding(a.Statement.PortfolioID, r.Holding)
		lines = append(lines, slices.Concat(
			[]string{strconv.Itoa(a.Owner), a.ID, a.Statement.PortfolioID, a.Statement.To, string(a.Statement.Provenance)}, holding.cells()))
	}
	return writeCSV(lines)
}

// transactionColumns are the columns of the CSV of transactions, named as in JSON.
var transactionColumns = []string{"id", "holding_id", "date", "type", "description", "units", "nav", "amount", "balance"}

// renderTransactionsCSV returns transactions as CSV.
func renderTransactionsCSV(list []transactionView) ([]byte, error) {
	lines := make([][]string, 1, 1+len(list))
	lines[0] = transactionColumns
	for i := range list {
		t := &list[i]
		lines = append(lines, []string{
			t.ID, t.HoldingID, cell(t.Date), textCell(t.Type), textCell(t.Description), cell(t.Units), cell(t.NAV), cell(t.Amount), cell(t.Balance),
		})
	}
	return writeCSV(lines)
}

// writeCSV writes lines as RFC 4180 says.
func writeCSV(lines [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write csv: %w", err)
	}
	return b.Bytes(), nil
}

// cells returns the cells of h for columns. Text from the statement is escaped so that a
// spreadsheet does not run it as a formula; amounts are left as they are.
func (h *holdingView) cells() []string {
	return []string{
		h.ID, string(h.Class), cell(h.ISIN), textCell(&h.Name), textCell(h.Account), textCell(h.Institution), textCell(h.Category),
		cell(h.Units), cell(h.Price), cell(h.Value), cell(h.Cost), cell(h.Gain), cell(h.SumAssured),
	}
}

// cell returns *text, and "" for nil.
func cell(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// textCell is cell for free text of a statement, escaped for spreadsheets.
func textCell(text *string) string { return spreadsheet.Escape(cell(text)) }
