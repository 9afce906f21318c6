package statement

import (
	"maps"
	"slices"
	"strings"
)

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
		p.accounts(v, "mutual_funds", func(part *part, v value) { p.folios(part, v, "") })
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
	p.total(a, v)
	part.accounts++
	part.sum.include(a.sum)
}

// total compares the value that v states with the rows of the account a that it is.
func (p *parser) total(a account, v value) {
	stated := v.member("value")
	value := p.amount(stated)
	switch {
	case !value.Valid:
	case a.sum.rows > 0:
		p.compare(stated, value.Decimal, a.sum, codeAccountTotal)
	case value.Decimal.IsPositive():
		p.warn(v, codeNoRows, "This has a value, but no rows that it could come from.")
	}
}

func (p *parser) dematAccount(part *part, v value) {
	a := account{number: p.text(v.member("bo_id")), institution: p.text(v.member("dp_name"))}
	participant, client := p.text(v.member("dp_id")), p.text(v.member("client_id"))
	// NSDL numbers an account by participant and client, CDSL by both in one, which
	// may also be what it calls the client.
	switch {
	case a.number != "":
	case len(client) > len(participant) && strings.HasPrefix(client, participant):
		a.number = client
	default:
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
		case "bo_id", "dp_id", "client_id", "dp_name", "value": // read before or after
		case "demat_type":
			p.plain(m)
		default:
			if _, direct := buckets[string(name)]; direct {
				p.bucket(&a, string(name), m)
			} else {
				p.common(string(name), m)
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
		p.unknown(name, list)
	default:
		p.unknown(name, list)
	}
}

// common reads a member that accounts of all kinds may have.
func (p *parser) common(name string, v value) {
	switch name {
	case "linked_holders":
		p.is(v, '[')
	case "additional_info":
		if p.is(v, '{') {
			for name, m := range v.members() {
				p.aside(string(name), m)
			}
		}
	default:
		p.unknown(name, v)
	}
}

// folios reads a folio, or what a fund house has all of its folios in, and returns
// the sum of the rows. amc is the fund house around it, unless it names another.
func (p *parser) folios(part *part, v value, amc string) sum {
	inner := v.member("folios")
	if !inner.stated() {
		return p.folio(part, v, amc)
	}
	var house account
	both := v.member("schemes").stated()
	if both {
		house.sum.include(p.folio(part, v, amc))
	}
	if own := p.text(v.member("amc")); own != "" {
		amc = own
	}
	if p.is(inner, '[') {
		for folio := range inner.inner() {
			if p.is(folio, '{') {
				house.sum.include(p.folios(part, folio, amc))
			}
		}
	}
	if !both {
		p.wrapper(house, v)
	}
	return house.sum
}

// wrapper reads what a fund house says besides its folios.
func (p *parser) wrapper(house account, v value) {
	p.total(house, v)
	for name, m := range v.members() {
		switch string(name) {
		case "amc", "folios", "value": // read before
		case "registrar":
			p.plain(m)
		default:
			p.common(string(name), m)
		}
	}
}

// folio reads a folio of the fund house amc, unless it names another, and returns
// the sum of its rows.
func (p *parser) folio(part *part, v value, amc string) sum {
	a := account{number: p.text(v.member("folio_number")), institution: p.text(v.member("amc"))}
	if a.number == "" {
		a.number = p.text(v.member("folio")) // its name within a fund house
	}
	if a.institution == "" {
		a.institution = amc
	}
	for name, m := range v.members() {
		switch string(name) {
		case "schemes":
			p.rows(&a, MutualFund, m, p.scheme)
		case "folio_number", "folio", "folios", "amc", "value": // read before or after
		case "registrar":
			p.plain(m)
		default:
			p.common(string(name), m)
		}
	}
	p.closed(part, a, v)
	return a.sum
}

func (p *parser) pensionAccount(part *part, v value) {
	a := account{number: p.text(v.member("pran")), institution: p.text(v.member("cra"))}
	for name, m := range v.members() {
		switch string(name) {
		case "funds":
			p.rows(&a, NPS, m, p.security)
		case "pran", "cra", "value": // read before or after
		default:
			p.common(string(name), m)
		}
	}
	p.closed(part, a, v)
}

// insurance reads policies: a list of them, or an object that has the list.
func (p *parser) insurance(v value) {
	part, none := part{name: insurancePart}, account{}
	if v.kind() == '[' {
		p.rows(&none, Insurance, v, p.policy)
	} else if p.is(v, '{') {
		for name, m := range v.members() {
			switch {
			case string(name) == "life_insurance_policies":
				p.rows(&none, Insurance, m, p.policy)
			case m.kind() == '[':
				p.unclassed(m)
				p.unknown(string(name), m)
			default:
				p.unknown(string(name), m)
			}
		}
	}
	part.accounts, part.sum.unknown = none.sum.rows, none.sum.rows > 0
	p.parts = append(p.parts, part)
}
