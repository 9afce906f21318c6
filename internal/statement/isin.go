package statement

import "strings"

// isin reads an ISIN (ISO 6166). What has not its form is left out with a warning;
// one with a wrong check digit is kept with a warning.
func (p *parser) isin(v value) string {
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	switch {
	case text == "":
	case !formed(text):
		p.warn(v, codeInvalidISIN, "This is no ISIN, so it was left out.")
		return ""
	case !checks(text):
		p.warn(v, codeCheckDigit, "This ISIN has a wrong check digit; it was kept as it is.")
	}
	return text
}

// formed reports whether text has the form of an ISIN: two letters, nine letters
// or digits, a digit.
func formed(text string) bool {
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

// checks reports whether the last digit of an ISIN goes with the others: letters
// stand for two digits (A is 10), of which every other one, from the right, counts
// twice (ISO 6166, the Luhn algorithm).
func checks(isin string) bool {
	sum, twice := 0, false
	count := func(digit int) {
		if twice {
			digit *= 2
		}
		sum += digit/10 + digit%10
		twice = !twice
	}
	for i := len(isin) - 1; i >= 0; i-- {
		c := int(isin[i])
		if c <= '9' {
			count(c - '0')
			continue
		}
		count((c - 'A' + 10) % 10)
		count((c - 'A' + 10) / 10)
	}
	return sum%10 == 0
}
