package statement

import (
	"maps"
	"slices"
)

import "github.com/shopspring/decimal"

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

// lists are the names of all lists of rows.
var lists = append(slices.Collect(maps.Keys(buckets)), "schemes", "funds", "life_insurance_policies", "insurance")

// account is what the rows of a demat account, folio or pension account share.
type account struct {
	number      string
	institution string
	sum         sum // of its rows' values
}

// section reads one of the statement's sections, or looks at what is none.
func (p *parser) section(name string, v value) {
	switch name {
	case "demat_accounts":
		p.accounts(v, "demat", p.dematAccount)
	case "mutual_funds":
		p.accounts(v, "mutual_funds", p.folios)
	case "nps":
		p.accounts(v, "nps", p.pensionAccount)
	case "insurance":
		p.insurance(v)
	default:
		p.unknown(name, v)
	}
}

// accounts reads a list of accounts. Each is an account of the part called name.
func (p *parser) accounts(list value, name string, read func(part *part, v value)) {
	if !p.is(list, '[') {
		return
	}
	part := part{name: name}
	for v := range list.inner() {
		if p.is(v, '{') {
			read(&part, v)
		}
	}
	p.parts = append(p.parts, part)
}

// closed adds an account that was read to its part.
func (p *parser) closed(part *part, a account, v value) {
	stated, rows := v.member("value"), a.sum
	value := p.amount(stated)
	if value.Valid {
		p.compare(stated, value.Decimal, rows, "account_total_mismatch", "the rows of the account")
		if rows.rows == 0 && value.Decimal.IsPositive() {
			p.warn(v, "value_without_rows", "has a value, but no rows that it could come from")
		}
	}
	part.accounts++
	part.sum.include(rows)
}

func (p *parser) dematAccount(part *part, v value) {
	a := account{number: p.text(v.member("bo_id")), institution: p.text(v.member("dp_name"))}
	// NSDL numbers an account by participant and client, CDSL by both in one.
	if participant, client := p.text(v.member("dp_id")), p.text(v.member("client_id")); a.number == "" {
		a.number = participant + client
	}
	for name, m := range v.members() {
		switch string(name) {
		case "holdings":
			if p.is(m, '{') {
				for name, list := range m.members() {
					p.bucket(&a, string(name), list)
				}
			}
		case "bo_id", "dp_id", "client_id", "dp_name", "value", "demat_type", "linked_holders", "additional_info":
		default:
			if _, direct := buckets[string(name)]; direct {
				p.bucket(&a, string(name), m)
			} else {
				p.unknown(string(name), m)
			}
		}
	}
	p.closed(part, a, v)
}

// bucket reads the holdings of one class. Rows of a class that is not known are
// rejected, not lost.
func (p *parser) bucket(a *account, name string, list value) {
	class, known := buckets[name]
	switch {
	case known:
		p.rows(a, class, list, p.security)
	case list.kind() == '[':
		p.unclassed(list)
	default:
		p.unknown(name, list)
	}
}

// folios reads a folio, or what a fund house has all of its folios in.
func (p *parser) folios(part *part, v value) {
	inner := v.member("folios")
	if !inner.stated() {
		p.folio(part, v, "")
		return
	}
	amc := p.text(v.member("amc"))
	if p.is(inner, '[') {
		for folio := range inner.inner() {
			if p.is(folio, '{') {
				p.folio(part, folio, amc)
			}
		}
	}
	for name, m := range v.members() {
		switch string(name) {
		case "amc", "folios", "value", "registrar":
		default:
			p.unknown(string(name), m)
		}
	}
}

// folio reads a folio of the fund house amc, unless it names another.
func (p *parser) folio(part *part, v value, amc string) {
	a := account{number: p.text(v.member("folio_number")), institution: p.text(v.member("amc"))}
	if a.institution == "" {
		a.institution = amc
	}
	for name, m := range v.members() {
		switch string(name) {
		case "schemes":
			p.rows(&a, MutualFund, m, p.scheme)
		case "folio_number", "amc", "value", "registrar", "linked_holders", "additional_info":
		default:
			p.unknown(string(name), m)
		}
	}
	p.closed(part, a, v)
}

func (p *parser) pensionAccount(part *part, v value) {
	a := account{number: p.text(v.member("pran")), institution: p.text(v.member("cra"))}
	for name, m := range v.members() {
		switch string(name) {
		case "funds":
			p.rows(&a, NPS, m, p.fund)
		case "pran", "cra", "value", "linked_holders", "additional_info":
		default:
			p.unknown(string(name), m)
		}
	}
	p.closed(part, a, v)
}

// insurance reads policies: a list of them, or an object that has the list.
func (p *parser) insurance(v value) {
	part, none := part{name: "insurance"}, account{}
	if v.kind() == '[' {
		p.rows(&none, Insurance, v, p.policy)
	} else if p.is(v, '{') {
		for name, m := range v.members() {
			switch {
			case string(name) == "life_insurance_policies":
				p.rows(&none, Insurance, m, p.policy)
			case m.kind() == '[':
				p.unclassed(m)
			default:
				p.unknown(string(name), m)
			}
		}
	}
	part.accounts = none.sum.rows
	p.parts = append(p.parts, part)
}

var _ = decimal.Zero
