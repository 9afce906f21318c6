package statement

import "strings"

// issuers has the names by which a statement may call its issuer, in upper case.
var issuers = map[string]CASType{
	"CDSL": CDSL, "NSDL": NSDL, "CAMS_KFINTECH": CAMSKFintech, "CAMS": CAMSKFintech, "KFINTECH": CAMSKFintech,
}

// issuer finds out who issued the statement. What it says itself goes before what
// the envelopes say, and that before which parser they name.
func (p *parser) issuer(e envelope) {
	for _, v := range []value{e.statement.member("meta").member("cas_type"), e.statement.member("cas_type")} {
		if p.is(v, '"') {
			p.issued(v, known(v) == "" && strings.Trim(v.text(), space) != "")
		}
	}
	unknown := value{}
	for _, v := range e.casTypes {
		if known(v) == "" && strings.Trim(v.text(), space) != "" {
			unknown = v
		}
		p.issued(v, false)
	}
	for _, v := range e.parsers {
		if by := known(v); p.s.CASType != "" && by != "" && by != p.s.CASType {
			p.warn(v, codeParserMismatch, "This names the parser of %s, but the statement is one of %s.", by, p.s.CASType)
		} else {
			p.issued(v, false)
		}
	}
	switch {
	case p.s.CASType != "" || len(p.faults) > 0:
	case unknown.stated():
		p.wrong(unknown, codeUnknownIssuer, wantIssuer)
	default:
		p.wrong(e.statement, codeNoIssuer, wantIssuer)
		p.faults[0].Pointer += "/meta/cas_type"
	}
}

const wantIssuer = "This must be CDSL, NSDL or CAMS_KFINTECH."

// issued takes the issuer that v names. The first that is known counts.
func (p *parser) issued(v value, mustBeKnown bool) {
	switch by := known(v); {
	case by == "" && mustBeKnown:
		p.wrong(v, codeUnknownIssuer, wantIssuer)
	case by == "" || by == p.s.CASType:
	case p.s.CASType == "":
		p.s.CASType = by
	default:
		p.warn(v, codeIssuerMismatch, "This says %s, but the statement is one of %s.", by, p.s.CASType)
	}
}

// known is the issuer that v names, or "".
func known(v value) CASType { return issuers[strings.ToUpper(strings.Trim(v.text(), space))] }
