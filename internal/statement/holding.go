package statement

import (
	"strings"

	"github.com/shopspring/decimal"
)

// security reads a member of a holding in a demat account. Like the others below
// it is false for one that is not known.
func (p *parser) security(h *Holding, name string, v value) bool {
	switch name {
	case "units":
		h.Units = p.amount(v)
	case "value":
		h.Value = p.amount(v)
	case "name":
		h.Name = p.text(v)
	case "isin":
		h.ISIN = p.isin(v)
	case "nav":
		h.Price = p.amount(v)
	case "cost":
		h.Cost = p.amount(v)
	case "gain":
		h.Gain = p.gain(v)
	case "coupon_rate", "maturity_date", "face_value": // of a bond: they tell what it is, not what it is worth
		p.plain(v)
	default:
		return false
	}
	return true
}

// gain reads by how much a holding is worth more than it cost.
func (p *parser) gain(v value) (absolute decimal.NullDecimal) {
	if !p.is(v, '{') {
		return absolute
	}
	for name, m := range v.members() {
		switch string(name) {
		case "absolute":
			absolute = p.signed(m)
		case "percentage":
			p.signed(m)
		default:
			p.unknown(string(name), m)
		}
	}
	return absolute
}

// scheme reads a member of a mutual fund scheme.
func (p *parser) scheme(h *Holding, name string, v value) bool {
	switch name {
	case "type":
		h.Category = p.category(v)
	case "nominees":
		p.is(v, '[')
	default:
		return p.security(h, name, v)
	}
	return true
}

// categories are the vendor's types of schemes.
var categories = []string{"Equity", "Debt", "Hybrid", "Other"}

// category reads the type of a scheme, in whichever case it is written.
func (p *parser) category(v value) string {
	text := strings.Trim(p.text(v), space)
	for _, c := range categories {
		if strings.EqualFold(c, text) {
			return c
		}
	}
	return text
}

// details reads what of a row's additional_info is kept: the tier of a pension
// fund, and what a ledger began and ended with.
func (p *parser) details(h *Holding, l *ledger, v value) {
	if !p.is(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "tier":
			h.Category = p.tier(m)
		case "open_units":
			l.open = p.signed(m)
		case "close_units":
			l.closed = p.signed(m)
		default:
			p.aside(string(name), m)
		}
	}
}

// tier reads the tier of a pension account, 1 or "1" or "I" or "Tier I".
func (p *parser) tier(v value) string {
	if v.kind() == '0' {
		return "Tier " + p.signed(v).Decimal.String()
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
		h.Account = p.text(v)
	case "policy_name":
		h.Name = p.text(v)
	case "provider":
		h.Institution = p.text(v)
	case "sum_assured":
		h.SumAssured = p.amount(v)
	case "premium_amount":
		p.amount(v)
	case "life_assured", "status", "premium_frequency":
		p.plain(v)
	default:
		return false
	}
	return true
}
