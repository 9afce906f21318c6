package statement

import (
	"strings"

	"github.com/shopspring/decimal"
)

// MaxRows is how many rows a statement may have. Real ones have hundreds.
const MaxRows = 20_000

// buckets has the lists of a demat account's holdings.
var buckets = map[string]Class{
	"equities":              Equity,
	"etfs":                  ETF,
	"corporate_bonds":       CorporateBond,
	"government_securities": GovernmentSecurity,
	"aifs":                  AIF,
	"demat_mutual_funds":    DematMutualFund,
	"sovereign_gold_bonds":  SovereignGoldBond,
	"preference_shares":     PreferenceShare,
}

// fundISIN begins the ISIN of a fund's unit. The vendor lists those that are traded
// like shares, the ETFs, among the equities.
const fundISIN = "INF"

// section reads one of the statement's four sections, or skips what is none.
func (p *parser) section(name string) {
	seen := false
	switch name {
	case "demat_accounts":
		seen = p.array(p.dematAccount)
	case "mutual_funds":
		seen = p.array(p.folio)
	case "nps":
		seen = p.array(p.pensionAccount)
	case "insurance":
		seen = p.object(func(name string) {
			if name == "life_insurance_policies" {
				p.array(func() { p.row(Insurance, p.policy) })
				return
			}
			p.skip()
		})
	default:
		p.skip()
	}
	if seen {
		p.sections++
	}
}

// account is what the rows of a demat account, folio or pension account share.
type account struct {
	number      string
	participant string // NSDL numbers an account by participant and client,
	client      string // CDSL by both in one
	institution string
	value       decimal.NullDecimal
}

// account reads an object that holds rows: member reads its members into a. When
// it ends, a is written into the rows.
func (p *parser) account(a *account, member func(name string)) {
	first, received := len(p.s.Holdings), p.s.ReceivedRows
	if !p.object(member) {
		return
	}
	number := a.number
	if number == "" {
		number = a.participant + a.client
	}
	for i := first; i < len(p.s.Holdings); i++ {
		p.s.Holdings[i].Account, p.s.Holdings[i].Institution = number, a.institution
	}
	if received == p.s.ReceivedRows && a.value.Decimal.IsPositive() {
		p.warn("value_without_rows", "has a value, but no rows that it could come from")
	}
}

func (p *parser) dematAccount() {
	var a account
	p.account(&a, func(name string) {
		switch name {
		case "bo_id":
			a.number = p.text()
		case "dp_id":
			a.participant = p.text()
		case "client_id":
			a.client = p.text()
		case "dp_name":
			a.institution = p.text()
		case "value":
			a.value = p.amount()
		case "holdings":
			p.object(p.bucket)
		default:
			p.skip()
		}
	})
}

// bucket reads the holdings of one class. Rows of a class that is not known are
// rejected, not lost.
func (p *parser) bucket(name string) {
	class, known := buckets[name]
	switch {
	case known:
		p.array(func() { p.row(class, p.security) })
	case p.dec.PeekKind() == '[':
		p.array(func() {
			if p.count() {
				p.skip()
				p.reject("unknown_class", "is in a list that is not known")
			}
		})
	default:
		p.skip()
	}
}

func (p *parser) folio() {
	var a account
	p.account(&a, func(name string) {
		switch name {
		case "folio_number":
			a.number = p.text()
		case "amc":
			a.institution = p.text()
		case "value":
			a.value = p.amount()
		case "schemes":
			p.array(func() { p.row(MutualFund, p.scheme) })
		default:
			p.skip()
		}
	})
}

func (p *parser) pensionAccount() {
	var a account
	p.account(&a, func(name string) {
		switch name {
		case "pran":
			a.number = p.text()
		case "cra":
			a.institution = p.text()
		case "value":
			a.value = p.amount()
		case "funds":
			p.array(func() { p.row(NPS, p.fund) })
		default:
			p.skip()
		}
	})
}

// row reads one row of class; member reads its members.
func (p *parser) row(class Class, member func(h *Holding, name string)) {
	if !p.count() {
		return
	}
	h := Holding{Class: class}
	p.object(func(name string) { member(&h, name) })
	if h.blank() {
		p.reject("empty_row", "holds nothing that could be kept")
		return
	}
	if h.Class == Equity && strings.HasPrefix(h.ISIN, fundISIN) {
		h.Class = ETF
	}
	if h.Name == "" {
		p.warn("missing_name", "has no name")
	}
	p.s.Holdings = append(p.s.Holdings, h)
}

// blank reports whether h neither says what it is nor is worth anything.
func (h *Holding) blank() bool {
	for _, amount := range []decimal.NullDecimal{h.Units, h.Price, h.Value, h.Cost, h.Gain, h.SumAssured} {
		if !amount.Decimal.IsZero() {
			return false
		}
	}
	return h.Name == "" && h.ISIN == "" && h.Account == ""
}

// count counts a row that begins. It is false, and the row skipped, when there
// were too many.
func (p *parser) count() bool {
	if p.s.ReceivedRows++; p.s.ReceivedRows <= MaxRows {
		return true
	}
	p.skip()
	if p.s.ReceivedRows == MaxRows+1 {
		p.wrong(p.here("too_many_rows", "is past the %d rows that a statement may have", MaxRows))
	}
	return false
}

// reject notes why the row that was read last is not kept. A statement of which
// more is rejected than can be told is refused.
func (p *parser) reject(code, detail string) {
	if len(p.s.Rejected) == maxFindings {
		p.wrong(p.here("too_many_rejected", "is past the %d rows of a statement that may be unfit to be kept", maxFindings))
		return
	}
	p.s.Rejected = append(p.s.Rejected, p.here(code, "%s", detail))
}
