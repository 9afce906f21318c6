package statement

import (
	"regexp"
	"strings"

	"casbroker/internal/secret"
)

func (p *parser) investor(v value) {
	if !p.is(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "name":
			p.s.Investor.Name = p.text(m)
		case "pan":
			p.pan(m)
		case "email", "mobile", "address", "pincode", "cas_id":
			p.plain(m)
		default:
			p.unknown(string(name), m)
		}
	}
}

// A PAN has ten letters and digits, of which the fourth says what kind of holder it
// is; statements hide some of them behind X or *.
var (
	anyPAN  = regexp.MustCompile(`^[A-Z0-9*]{10}$`)
	fullPAN = regexp.MustCompile(`^[A-Z]{3}[ABCEFGHJKLPT][A-Z][0-9]{4}[A-Z]$`)
)

func (p *parser) pan(v value) {
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	if anyPAN.MatchString(text) && !fullPAN.MatchString(text) {
		text = strings.ReplaceAll(text, "X", "*") // an X that was really one is hidden too, which costs little
	}
	switch {
	case strings.Trim(text, "*") == "": // nothing of it is shown
		return
	case !anyPAN.MatchString(text):
		p.warn(v, codeInvalidPAN, "This is no PAN, so it was left out.")
		return
	}
	p.s.PAN = secret.Text(text)
	p.s.Investor.PANMasked = "XXXXXX" + strings.ReplaceAll(text[6:], "*", "X")
}
