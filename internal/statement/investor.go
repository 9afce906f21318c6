package statement

import "strings"

// investor reads the member of that name.
func (p *parser) investor(v value) {
	if !p.optional(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "name":
			p.s.Investor.Name = p.text(m)
		case "pan":
			p.pan(m)
		case "email", "mobile", "address", "pincode", "cas_id":
			p.ignored(m)
		default:
			p.unknownMember(string(name), m)
		}
	}
}

// pan reads the investor's PAN.
func (p *parser) pan(v value) {
	p.s.PAN = p.readPAN(v)
	if p.s.PAN != "" {
		p.s.Investor.PANMasked = "XXXXXX" + strings.ReplaceAll(string(p.s.PAN[6:]), "*", "X")
	}
}
