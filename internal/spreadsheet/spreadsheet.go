// Package spreadsheet protects people who open our CSV files in a spreadsheet against
// formula injection: text that other people wrote is displayed and never run.
package spreadsheet

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns text such that a spreadsheet displays it and does not run it: an
// apostrophe is put before what would be the start of a formula, also after each
// semicolon, because some spreadsheets split cells there. Characters that break lines
// become spaces; other control characters and those that change the direction of text
// are removed. Escaping twice gives the same as escaping once.
func Escape(text string) string {
	parts := strings.Split(strings.Map(clean, text), ";")
	for i, part := range parts {
		if isFormula(part) {
			parts[i] = "'" + part
		}
	}
	return strings.Join(parts, ";")
}

// clean replaces white space that breaks or moves a line with a space, and removes
// other control characters and those that change the direction of text.
func clean(r rune) rune {
	switch {
	case unicode.IsControl(r) && unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return -1
	default:
		return r
	}
}

// formulaSigns are the characters that start a formula, with their full-width and
// other variants.
const formulaSigns = "=+-@＝＋－＠﹦﹢﹣﹫−"

// isFormula reports whether a spreadsheet may take text for a formula. It ignores
// leading characters that a spreadsheet may skip.
func isFormula(text string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text, skipped))
	return strings.ContainsRune(formulaSigns, first)
}

// skipped reports whether a spreadsheet may skip r in front of a formula: an invisible
// character, or the quote that some programs remove when they split cells.
func skipped(r rune) bool { return r == '"' || isInvisible(r) }

// isInvisible reports whether r shows nothing at the start of a cell.
func isInvisible(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}
