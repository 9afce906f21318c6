package portfolio

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode"

	"casbroker/internal/spreadsheet"
	"casbroker/internal/statement"
)

// FuzzRenderCSV writes arbitrary names into a CSV. Each is read back as one cell that does
// not begin like a formula, not even in a spreadsheet that splits cells at semicolons.
func FuzzRenderCSV(f *testing.F) {
	for _, seed := range []string{
		"", "Fund", "=1", " =1", "\t-1", "\r\n+1", "\u202e@x", "\u200b\uff1d1", "a;=1", "a\";\"=1", "a\n=1", "'=1", "\u2028=", "\x00=1", "\xff=1", ";;;+", "\u3164\ufe66", `x;"=1+1;y`, `";"" =1`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		table, err := renderCSV([]holdingView{{ID: "ho_1", Class: statement.Equity, Name: name, Account: &name, Category: &name}})
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
		if err != nil || len(lines) != 2 || len(lines[1]) != len(columns)+len(accountColumns) || bytes.Count(table, []byte("\n")) != 2 {
			t.Fatalf("%q made %q: %v", name, table, err)
		}
		for _, cell := range []string{lines[1][3], lines[1][4], lines[1][6]} {
			for _, part := range strings.Split(cell, ";") {
				shown := strings.TrimLeftFunc(part, func(r rune) bool { return r == '"' || unicode.IsSpace(r) || !unicode.IsGraphic(r) })
				if shown != "" && strings.ContainsAny(shown[:1], "=+-@") || strings.ContainsAny(part, "\t\r\n\x00\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c") {
					t.Errorf("%q made the cell %q", name, cell)
				}
			}
			if again := spreadsheet.Escape(cell); again != cell {
				t.Errorf("escaping %q again gives %q, want no change", cell, again)
			}
		}
	})
}
