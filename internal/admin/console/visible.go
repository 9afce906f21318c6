package console

import (
	"fmt"
	"strings"
	"unicode"
)

// brailleBlank is a sign that prints nothing.
const brailleBlank = 0x2800

// visible is the id of a user as people are to read it: what has no shape of its own is
// named, such as ⟨U+200B⟩, so that two ids never look alike because of it. So is a space
// that a page would leave out, and the bracket that begins such a name.
func visible(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		lost := r == ' ' && (i == 0 || i == len(runes)-1 || runes[i-1] == ' ')
		if lost || r == '⟨' || r == brailleBlank || !unicode.IsPrint(r) ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
