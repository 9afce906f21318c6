package statement

import "strings"

// issuers maps the names of issuers, in upper case.
var issuers = map[string]CASType{
	"CDSL": CDSL, "NSDL": NSDL, "CAMS_KFINTECH": CAMSKFintech, "CAMS": CAMSKFintech, "KFINTECH": CAMSKFintech,
}

// issuer determines the issuer of the statement. The statement's own members come
// first, then those of the envelopes, then the parser that the envelopes name.
func (p *parser) issuer(e envelope) {
	for _, v := range []value{e.statement.member("meta").member("cas_type"), e.statement.member("cas_type")} {
		if p.expect(v, '"') {
			p.issuerMember(v, namesUnknownIssuer(v))
		}
	}
	unknown := value{}
	for _, v := range e.casTypes {
		if namesUnknownIssuer(v) {
			unknown = v
		}
		p.issuerMember(v, false)
	}
	for _, v := range e.parsers {
		if by := issuerOf(v); p.s.CASType != "" && by != "" && by != p.s.CASType {
			p.warn(v, codeParserMismatch, "This names the parser for %s, but the statement was issued by %s.", by, p.s.CASType)
		} else {
			p.issuerMember(v, false)
		}
	}
	switch {
	case p.s.CASType != "" || len(p.faults) > 0:
	case unknown.present():
		p.fault(unknown, codeUnknownIssuer, wantIssuer)
	default:
		p.fault(e.statement, codeNoIssuer, wantIssuer)
		p.faults[0].Pointer += "/meta/cas_type"
	}
}

const wantIssuer = "This must be CDSL, NSDL or CAMS_KFINTECH."

// issuerMember reads a member that names the issuer. The first known name counts;
// another one after it is a warning.
func (p *parser) issuerMember(v value, mustBeKnown bool) {
	switch by := issuerOf(v); {
	case by == "" && mustBeKnown:
		p.fault(v, codeUnknownIssuer, wantIssuer)
	case by == "" || by == p.s.CASType:
	case p.s.CASType == "":
		p.s.CASType = by
	default:
		p.warn(v, codeIssuerMismatch, "This says %s, but the statement was issued by %s.", by, p.s.CASType)
	}
}

// issuerOf returns the issuer that v names, "" for an unknown one.
func issuerOf(v value) CASType { return issuers[strings.ToUpper(strings.Trim(v.text(), space))] }

// namesUnknownIssuer reports whether v is a text, not blank, that names no known issuer.
func namesUnknownIssuer(v value) bool {
	return issuerOf(v) == "" && strings.Trim(v.text(), space) != ""
}
