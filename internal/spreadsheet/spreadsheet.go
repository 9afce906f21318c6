// Package spreadsheet makes texts of others harmless for the programs that open
// tables: what somebody else wrote is shown there, and never run.
package spreadsheet

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inert returns text as spreadsheets show it and never run it: what would begin a
// formula gets an apostrophe before it. So does what follows a semicolon, at which
// some spreadsheets part cells.
func Inert(text string) string {
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
