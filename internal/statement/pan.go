package statement

import (
	"regexp"
	"strings"

	"casbroker/internal/secret"
)

// panLength is the number of characters of a PAN.
const panLength = 10

// A PAN has ten letters and digits; the fourth is the kind of holder. Statements mask
// some of them with X or *.
var (
	fullPANPattern   = regexp.MustCompile(`^[A-Z]{3}[ABCEFGHJKLPT][A-Z][0-9]{4}[A-Z]$`)
	maskedPANPattern = regexp.MustCompile(`^[A-Z*]{3}[ABCEFGHJKLPTX*][A-Z*][0-9X*]{4}[A-Z*]$`)
)

// readPAN reads a PAN, masked or not, and returns it with '*' for each masked character.
// It warns of text that is not one. Fully masked ones count as not stated.
func (r *reader) readPAN(v value) secret.Text {
	text := strings.ToUpper(strings.Trim(r.text(v), space))
	switch {
	case fullPANPattern.MatchString(text):
		return secret.Text(text)
	case text == "":
		return ""
	case !maskedPANPattern.MatchString(text):
		r.warn(v, codeInvalidPAN, "This is not a PAN; it was left out.")
		return ""
	}
	text = strings.ReplaceAll(text, "X", "*") // also hides an X that is part of the PAN, which does little harm
	if strings.Trim(text, "*") == "" {
		return ""
	}
	return secret.Text(text)
}

// samePAN reports whether a and b do not differ in a character that both show.
func samePAN(a, b secret.Text) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && a[i] != '*' && b[i] != '*' {
			return false
		}
	}
	return true
}
