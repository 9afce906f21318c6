package statement

import (
	"regexp"
	"strings"

	"casbroker/internal/secret"
)

// investor reads the member of that name.
func (p *parser) investor(v value) {
	if !p.expect(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "name":
			p.s.Investor.Name = p.text(m)
		case "pan":
			p.pan(m)
		case "email", "mobile", "address", "pincode", "cas_id":
			p.ignoredText(m)
		default:
			p.unknownMember(string(name), m)
		}
	}
}

// A PAN has ten letters and digits; the fourth is the kind of holder. Statements mask
// some of them with X or *.
var (
	panPattern     = regexp.MustCompile(`^[A-Z0-9*]{10}$`)
	fullPANPattern = regexp.MustCompile(`^[A-Z]{3}[ABCEFGHJKLPT][A-Z][0-9]{4}[A-Z]$`)
)

// pan reads a PAN, masked or not. Fully masked ones count as not stated.
func (p *parser) pan(v value) {
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	if panPattern.MatchString(text) && !fullPANPattern.MatchString(text) {
		text = strings.ReplaceAll(text, "X", "*") // also hides an X that is part of the PAN, which does little harm
	}
	switch {
	case strings.Trim(text, "*") == "":
		return
	case !panPattern.MatchString(text):
		p.warn(v, codeInvalidPAN, "This is not a PAN; it was left out.")
		return
	}
	p.s.PAN = secret.Text(text)
	p.s.Investor.PANMasked = "XXXXXX" + strings.ReplaceAll(text[6:], "*", "X")
}
