package statement

import (
	"regexp"
	"strings"
)

// security reads a member of a holding in a demat account.
func (p *parser) security(h *Holding, name string) {
	switch name {
	case "units":
		h.Units = p.amount()
	case "value":
		h.Value = p.amount()
	case "name":
		h.Name = p.text()
	case "isin":
		h.ISIN = p.isin()
	default:
		p.skip()
	}
}

// scheme reads a member of a mutual fund scheme.
func (p *parser) scheme(h *Holding, name string) {
	switch name {
	case "type":
		h.Category = p.text()
	case "nav":
		h.Price = p.amount()
	case "cost":
		h.Cost = p.amount()
	case "gain":
		p.object(func(name string) {
			if name == "absolute" {
				h.Gain = p.signed()
				return
			}
			p.skip()
		})
	default:
		p.security(h, name)
	}
}

// fund reads a member of a pension fund, which has no ISIN.
func (p *parser) fund(h *Holding, name string) {
	switch name {
	case "nav":
		h.Price = p.amount()
	case "cost":
		h.Cost = p.amount()
	case "additional_info":
		p.object(func(name string) {
			if name == "tier" {
				h.Category = p.tier()
				return
			}
			p.skip()
		})
	default:
		p.security(h, name)
	}
}

// tier reads the tier of a pension account, 1 or "1" or "I" or "Tier I".
func (p *parser) tier() string {
	var text string
	if p.dec.PeekKind() == '0' {
		text = p.signed().Decimal.String()
	} else {
		text = p.text()
	}
	switch bare := strings.TrimSpace(strings.TrimPrefix(strings.ToUpper(text), "TIER")); bare {
	case "":
		return text
	case "1", "I":
		return "Tier 1"
	case "2", "II":
		return "Tier 2"
	default:
		return text
	}
}

var isinForm = regexp.MustCompile(`^[A-Z]{2}[A-Z0-9]{9}[0-9]$`)

// isin reads an ISIN (ISO 6166). What has not its form is left out, with a warning.
func (p *parser) isin() string {
	text := strings.ToUpper(strings.TrimSpace(p.text()))
	if text != "" && !isinForm.MatchString(text) {
		p.warn("invalid_isin", "is no ISIN, so it was left out")
		return ""
	}
	return text
}

// policy reads a member of a life insurance policy.
func (p *parser) policy(h *Holding, name string) {
	switch name {
	case "policy_number":
		h.Account = p.text()
	case "policy_name":
		h.Name = p.text()
	case "provider":
		h.Institution = p.text()
	case "sum_assured":
		h.SumAssured = p.amount()
	default:
		p.skip()
	}
}
