package portfolio

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// typeCSV is the media type of a table whose first line names its columns
// (RFC 4180, section 3).
const typeCSV = "text/csv; charset=utf-8; header=present"

// errWhole: a table is not read by page.
var errWhole = errQuery.Withf("A CSV has all holdings at once: leave limit and cursor out, or ask for application/json.")

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
			h.ID, string(h.Class), cell(h.ISIN), inert(h.Name), inert(cell(h.Account)), inert(cell(h.Institution)), inert(cell(h.Category)),
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

// inert returns text as spreadsheets show it and never run it: what would begin a
// formula gets an apostrophe before it. So does what follows a semicolon, at which
// some spreadsheets part cells.
func inert(text string) string {
	parts := strings.Split(strings.Map(visible, text), ";")
	for i, part := range parts {
		if formula(part) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

// visible has a space for what breaks or moves a line, and nothing for other
// controls and for those that turn the direction of text.
func visible(r rune) rune {
	switch {
	case unicode.IsControl(r) && unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return -1
	default:
		return r
	}
}

// signs begin a formula: those of every keyboard, and their forms of full width.
const signs = "=+-@＝＋－＠﹦﹢﹣﹫−"

// formula reports whether a spreadsheet may take text for one, also past what it
// does not show.
func formula(text string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text, covering))
	return strings.ContainsRune(signs, first)
}

// covering reports whether r may stand before a formula: what leaves nothing to see,
// and the quote that programs take off which part cells elsewhere.
func covering(r rune) bool { return r == '"' || invisible(r) }

// invisible reports whether r leaves nothing to see where a cell begins.
func invisible(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}
