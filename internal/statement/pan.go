package statement

import (
	"strings"

	"casbroker/internal/secret"
)

// panLength is the number of characters of a PAN.
const panLength = 10

// readPAN reads a PAN, masked or not, and returns it with '*' for each masked character.
// It warns of text that is not one. Fully masked ones count as not stated.
func (r *reader) readPAN(v value) secret.Text {
	text := strings.ToUpper(strings.Trim(r.text(v), space))
	if text == "" {
		return ""
	}
	if !hasPANForm(text) {
		r.warn(v, codeInvalidPAN, "This is not a PAN; it was left out.")
		return ""
	}
	if strings.Contains(text, "*") || !hasPANDigits(text) {
		text = strings.ReplaceAll(text, "X", "*") // also hides an X that is part of the PAN, which does little harm
	}
	if strings.Trim(text, "*") == "" {
		return ""
	}
	return secret.Text(text)
}

// holderKinds are the letters that the fourth character of a PAN may be.
const holderKinds = "ABCEFGHJKLPT"

// hasPANForm reports whether text has the form of a PAN: five letters, of which the fourth
// is the kind of holder, four digits and a letter. Each may be masked, with X or *.
func hasPANForm(text string) bool {
	if len(text) != panLength {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c == 'X' || c == '*':
		case i == 3 && strings.IndexByte(holderKinds, c) >= 0:
		case i >= 5 && i <= 8 && c >= '0' && c <= '9':
		case i != 3 && (i < 5 || i == 9) && c >= 'A' && c <= 'Z':
		default:
			return false
		}
	}
	return true
}

// hasPANDigits reports whether the kind of holder and the digits of a PAN, which X masks,
// are all visible. If they are, an X elsewhere is a letter.
func hasPANDigits(pan string) bool { return pan[3] != 'X' && strings.IndexByte(pan[5:9], 'X') < 0 }

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
