package spreadsheet_test

import (
	"testing"

	"casbroker/internal/spreadsheet"
)

func TestFormulasAreEscaped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "",
		"app:42":           "app:42",
		"a=1":              "a=1",
		"=1+1":             "'=1+1",
		"  @SUM(A1)":       "'  @SUM(A1)",
		"\t-1":             "' -1",
		"＝1":               "'＝1",
		"a;=1":             "a;'=1",
		"one\r\ntwo":       "one  two",
		"\u202eturned":     "turned",
		"\u200b\u200b+1":   "'\u200b\u200b+1",
		"'=1":              "'=1",
		"Mozilla/5.0 (X;)": "Mozilla/5.0 (X;)",
	} {
		got := spreadsheet.Escape(text)
		if got != want || spreadsheet.Escape(got) != got {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
