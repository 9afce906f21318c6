package statement

import (
	"strings"
	"unicode"
)

// isin reads an ISIN (ISO 6166). Other text is left out with a warning; an ISIN with a
// wrong check digit is stored with a warning. Characters that a line break or a hyphenation
// left in it are removed if the check digit is right then.
func (p *parser) isin(v value) string {
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	if text == "" || hasISINForm(text) && validCheckDigit(text) {
		return text
	}
	repaired := strings.Map(withoutBreaks, text)
	switch {
	case repaired != text && hasISINForm(repaired) && validCheckDigit(repaired):
		p.warn(v, codeRepaired, "This ISIN has spaces or hyphens in it; it was saved without them.")
		return repaired
	case !hasISINForm(text):
		p.warn(v, codeInvalidISIN, "This is not an ISIN; it was left out.")
		return ""
	default:
		p.warn(v, codeCheckDigit, "This ISIN has a wrong check digit; it was saved as sent.")
		return text
	}
}

// withoutBreaks drops spaces, line breaks, hyphens and characters that are not shown.
func withoutBreaks(r rune) rune {
	if r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Pd, r) {
		return -1
	}
	return r
}

// hasISINForm reports whether text is two letters, nine letters or digits, and a digit.
func hasISINForm(text string) bool {
	if len(text) != 12 {
		return false
	}
	for i := range len(text) {
		letter, digit := text[i] >= 'A' && text[i] <= 'Z', text[i] >= '0' && text[i] <= '9'
		if i < 2 && !letter || i == 11 && !digit || !letter && !digit {
			return false
		}
	}
	return true
}

// validCheckDigit checks the last digit of an ISIN with the Luhn algorithm (ISO 6166):
// letters become two digits (A is 10), and every second digit from the right is doubled.
func validCheckDigit(isin string) bool {
	sum, double := 0, false
	add := func(digit int) {
		if double {
			digit *= 2
		}
		sum += digit/10 + digit%10
		double = !double
	}
	for i := len(isin) - 1; i >= 0; i-- {
		c := int(isin[i])
		if c <= '9' {
			add(c - '0')
			continue
		}
		add((c - 'A' + 10) % 10)
		add((c - 'A' + 10) / 10)
	}
	return sum%10 == 0
}
