package statement

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// notStated are what people and PDFs write for an amount that is missing, in upper case.
var notStated = []string{"", "-", "--", "\u2013", "\u2014", "N/A", "NA", "N.A.", "NIL"}

// maxWritten is the length in bytes of the longest amount that is read from text.
const maxWritten = 100

// amountForm matches an amount as people and PDFs write it, without spaces and in upper
// case: a sign before or after the currency, digits in groups of two or three of which the
// last has three, or without groups.
var amountForm = regexp.MustCompile(`^([-+]?)(?:₹|RS\.?|INR)?([-+]?)([0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}|[0-9]*)(?:\.([0-9]*))?(?:/-)?$`)

// writtenAmount returns the JSON number that text states, such as "₹1,23,456.00", ".196"
// or "(1,234.50)", which is negative. It is empty if text says that there is none; ok is
// false for other text.
func writtenAmount(text string) (number []byte, ok bool) {
	if len(text) > maxWritten {
		return nil, false
	}
	text = strings.ToUpper(strings.NewReplacer("\u2212", "-", "\u00ad", "", "\u200b", "").Replace(text))
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), "")
	if slices.Contains(notStated, text) {
		return nil, true
	}
	inner, bracket := strings.CutPrefix(text, "(")
	if bracket {
		if inner, ok = strings.CutSuffix(inner, ")"); !ok {
			return nil, false
		}
	}
	m := amountForm.FindStringSubmatch(inner)
	if m == nil || m[3] == "" && m[4] == "" || m[1] != "" && m[2] != "" || bracket && m[1]+m[2] != "" {
		return nil, false
	}
	if bracket || m[1]+m[2] == "-" {
		number = append(number, '-')
	}
	whole := strings.TrimLeft(strings.ReplaceAll(m[3], ",", ""), "0")
	if whole == "" {
		whole = "0"
	}
	number = append(number, whole...)
	if m[4] != "" {
		number = append(append(number, '.'), m[4]...)
	}
	return number, true
}
