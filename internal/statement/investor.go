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
	p.s.Investor.Name = p.text(v.member("name"))
	p.pan(v.member("pan"))
}

// A PAN has ten letters and digits, of which the fourth says what kind of holder it
// is; statements hide some of them behind X or *.
var (
	anyPAN  = regexp.MustCompile(`^[A-Z0-9*]{10}$`)
	fullPAN = regexp.MustCompile(`^[A-Z]{3}[ABCFGHJLPTE][A-Z][0-9]{4}[A-Z]$`)
)

func (p *parser) pan(v value) {
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	switch {
	case strings.Trim(text, "*") == "":
		return
	case !anyPAN.MatchString(text):
		p.warn(v, "invalid_pan", "is no PAN, so it was left out")
		return
	case !fullPAN.MatchString(text):
		text = strings.ReplaceAll(text, "X", "*") // an X that was really one is hidden too, which costs little
	}
	p.s.PAN = secret.Text(text)
	p.s.Investor.PANMasked = "XXXXXX" + strings.ReplaceAll(text[6:], "*", "X")
}
