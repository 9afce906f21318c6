package statement

import (
	"strings"

	"github.com/shopspring/decimal"
)

// security reads a member of a holding in a demat account or a pension account. It is
// a readMember, like scheme and policy.
func (p *parser) security(h *Holding, name string, v value) bool {
	switch name {
	case "units":
		h.Units, p.rowAmounts[0] = p.units(v), v
	case "value":
		h.Value, p.rowAmounts[2] = p.rupees(v), v
	case "name":
		h.Name = p.text(v)
	case "isin":
		h.ISIN = p.isin(v)
	case "nav":
		h.Price, p.rowAmounts[1] = p.amount(v), v
	case "cost":
		h.Cost, p.rowAmounts[3] = p.rupees(v), v
	case "gain":
		h.Gain = p.gain(v)
	case "coupon_rate", "maturity_date", "face_value": // of a bond: properties, not what the holding is worth
		p.ignored(v)
	default:
		return false
	}
	return true
}

// gain reads the absolute gain of a holding, which may also be stated as a number.
func (p *parser) gain(v value) (absolute decimal.NullDecimal) {
	if v.kind() == '0' || v.kind() == '"' {
		p.rowAmounts[5] = v
		return p.signedAmount(v)
	}
	if !p.expect(v, '{') {
		return absolute
	}
	for name, m := range v.members() {
		switch string(name) {
		case "absolute":
			absolute, p.rowAmounts[5] = p.signedAmount(m), m
		case "percentage":
			p.ignored(m)
		default:
			p.unknownMember(string(name), m)
		}
	}
	return absolute
}

// scheme reads a member of a mutual fund scheme.
func (p *parser) scheme(h *Holding, name string, v value) bool {
	switch name {
	case "type":
		h.Category = p.schemeType(v)
	case "nominees":
		p.optional(v, '[')
	default:
		return p.security(h, name, v)
	}
	return true
}

// schemeTypes are the vendor's types of schemes.
var schemeTypes = []string{"Equity", "Debt", "Hybrid", "Other"}

// schemeType reads the type of a scheme. Known types are matched in any case.
func (p *parser) schemeType(v value) string {
	text := strings.Trim(p.text(v), space)
	for _, t := range schemeTypes {
		if strings.EqualFold(t, text) {
			return t
		}
	}
	return text
}

// rowInfo reads a row's additional_info: the tier of a pension fund, and the opening
// and closing units of a ledger.
func (p *parser) rowInfo(h *Holding, l *ledger, v value) {
	if !p.expect(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "tier":
			h.Category = p.tier(m)
		case "open_units":
			l.opening = p.signedAmount(m)
		case "close_units":
			l.closing = p.signedAmount(m)
		case "is_demat":
			h.InDemat = isTrue(m)
		default:
			if (m.kind() == '[' || m.kind() == '{') && isEncumbrance(string(name)) {
				p.encumbrance(v, m)
			} else {
				p.additionalInfo(string(name), m)
			}
		}
	}
}

// tier reads the tier of a pension account: 1, "1", "I" or "Tier I".
func (p *parser) tier(v value) string {
	if v.kind() == '0' {
		return "Tier " + p.signedAmount(v).Decimal.String()
	}
	text := p.text(v)
	switch strings.Trim(strings.TrimPrefix(strings.ToUpper(text), "TIER"), " _-") {
	case "1", "I":
		return "Tier 1"
	case "2", "II":
		return "Tier 2"
	default:
		return text
	}
}

// policy reads a member of a life insurance policy.
func (p *parser) policy(h *Holding, name string, v value) bool {
	switch name {
	case "policy_number":
		h.Account = p.number(v)
	case "policy_name":
		h.Name = p.text(v)
	case "provider":
		h.Institution = p.text(v)
	case "sum_assured":
		h.SumAssured, p.rowAmounts[4] = p.amount(v), v
	case "premium_amount", "life_assured", "status", "premium_frequency":
		p.ignored(v)
	default:
		return false
	}
	return true
}

// isTrue reports whether v is true, or a text that says so.
func isTrue(v value) bool {
	switch strings.ToLower(strings.Trim(v.text(), space)) {
	case "true", "yes", "y", "1":
		return true
	default:
		return v.kind() == 't'
	}
}
