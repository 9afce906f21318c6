package portfolio

import (
	"bytes"
	"encoding/csv"
	"fmt"

	"casbroker/internal/httpapi"
	"casbroker/internal/spreadsheet"
)

// typeCSV is the media type of a table whose first line names its columns
// (RFC 4180, section 3).
const typeCSV = "text/csv; charset=utf-8; header=present"

// errWhole: a table is not read by page.
var errWhole = httpapi.ErrQuery.Withf("A CSV has all holdings at once: leave limit and cursor out, or ask for application/json.")

// columns of the table, named as in JSON.
var columns = []string{
	"id", "class", "isin", "name", "account", "institution", "category",
	"units", "price", "value", "cost", "gain", "sum_assured",
}

// renderCSV writes holdings as a table (RFC 4180). What a statement says in words
// cannot run as a formula where the table is opened; amounts stay as they are.
func renderCSV(holdings []holdingView) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	lines := make([][]string, 1, 1+len(holdings))
	lines[0] = columns
	for _, h := range holdings {
		lines = append(lines, []string{
			h.ID, string(h.Class), cell(h.ISIN), words(&h.Name), words(h.Account), words(h.Institution), words(h.Category),
			cell(h.Units), cell(h.Price), cell(h.Value), cell(h.Cost), cell(h.Gain), cell(h.SumAssured),
		})
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write csv: %w", err)
	}
	return b.Bytes(), nil
}

// cell is empty for what the statement does not say.
func cell(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// words is a cell with what a statement says in words.
func words(text *string) string { return spreadsheet.Escape(cell(text)) }
