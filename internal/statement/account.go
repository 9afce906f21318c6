package statement

import (
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"casbroker/internal/secret"
)

// dematLists maps the lists in a demat account to the class of their holdings.
var dematLists = map[string]Class{
	"equities":              Equity,
	"etfs":                  ETF,
	"corporate_bonds":       CorporateBond,
	"government_securities": GovernmentSecurity,
	"aifs":                  AIF,
	"demat_mutual_funds":    DematMutualFund,
	"sovereign_gold_bonds":  SovereignGoldBond,
	"preference_shares":     PreferenceShare,
}

// rowLists are the names of all lists of rows.
var rowLists = append(slices.Collect(maps.Keys(dematLists)), "schemes", "funds", "life_insurance_policies", "insurance")

// account is a demat account, folio or pension account: what its rows share.
type account struct {
	Account
	pans []secret.Text // of additional_info: the first holder's, then all that are linked
	sum  sum           // of the values of its rows
}

// section reads a section of the statement, or checks an unknown member.
func (p *parser) section(name string, v value) {
	switch name {
	case "demat_accounts":
		p.accounts(v, "demat", p.dematAccount)
	case "mutual_funds":
		p.accounts(v, "mutual_funds", func(s *section, v value) { p.folios(s, v, "") })
	case "nps":
		p.accounts(v, "nps", p.pensionAccount)
	case "insurance":
		p.insurance(v)
	default:
		p.unknownMember(name, v)
	}
}

// accounts reads a list of accounts, which is the section with this name.
func (p *parser) accounts(list value, name string, read func(s *section, v value)) {
	if !p.expect(list, '[') {
		return
	}
	s := section{name: name}
	for v := range list.children() {
		if p.expect(v, '{') && p.countAccount(v) {
			read(&s, v)
		}
	}
	p.sections = append(p.sections, s)
}

// finishAccount checks the total of the account a, read from v, adds it to s, and returns
// the total.
func (p *parser) finishAccount(s *section, a account, v value) decimal.NullDecimal {
	a.Value = p.accountTotal(a, v)
	s.accounts++
	s.sum.include(a.sum, a.Value)
	if a.sum.rows > 0 || a.Value.Valid {
		a.Owner = firstHolder(a.Holders, a.pans)
		p.s.Accounts = append(p.s.Accounts, a.Account)
	}
	return a.Value
}

// accountTotal returns the value that v, an account, states and compares it with the rows
// in a.
func (p *parser) accountTotal(a account, v value) decimal.NullDecimal {
	stated := v.member("value")
	total := p.rupees(stated)
	switch {
	case !total.Valid:
	case a.sum.rows+a.sum.unknowns > 0:
		p.compareTotal(stated, total.Decimal, a.sum, codeAccountTotal)
	case total.Decimal.IsPositive():
		p.warn(v, codeNoRows, "This has a value but no rows.")
	}
	return total
}

// dematAccount reads a demat account. NSDL numbers accounts by participant and client;
// CDSL uses one number for both, which it may also state as that of the client.
func (p *parser) dematAccount(s *section, v value) {
	a := account{Account: Account{Kind: Demat, Number: p.number(v.member("bo_id")), Institution: p.text(v.member("dp_name"))}}
	participant, client := p.number(v.member("dp_id")), p.number(v.member("client_id"))
	switch {
	case a.Number != "":
	case len(client) > len(participant) && strings.HasPrefix(client, participant):
		a.Number = client
	default:
		a.Number = participant + client
	}
	for name, m := range v.members() {
		switch string(name) {
		case "holdings":
			if p.expect(m, '{') {
				for name, list := range m.members() {
					p.dematList(&a, string(name), list)
				}
			}
		case "bo_id", "dp_id", "client_id", "dp_name", "value": // read before or after the loop
		case "demat_type":
			p.ignored(m)
		default:
			if _, known := dematLists[string(name)]; known {
				p.dematList(&a, string(name), m)
			} else {
				p.accountMember(&a, string(name), m)
			}
		}
	}
	p.finishAccount(s, a, v)
}

// dematList reads the holdings of one class. It rejects the rows of an unknown list.
func (p *parser) dematList(a *account, name string, list value) {
	class, known := dematLists[name]
	switch {
	case known:
		p.rows(a, class, list, p.security)
	case list.kind() == '[':
		p.rejectRows(a, list)
		p.unknownMember(name, list)
	default:
		p.unknownMember(name, list)
	}
}

// accountMember reads a member that accounts of all kinds may have.
func (p *parser) accountMember(a *account, name string, v value) {
	switch name {
	case "linked_holders":
		a.Holders = p.holders(v)
	case "additional_info":
		if p.optional(v, '{') {
			a.pans = p.linkedPANs(v)
			for name, m := range v.members() {
				p.additionalInfo(string(name), m)
			}
		}
	default:
		p.unknownMember(name, v)
	}
}

// pensionAccount reads an account of the National Pension System.
func (p *parser) pensionAccount(s *section, v value) {
	a := account{Account: Account{Kind: Pension, Number: p.number(v.member("pran")), Institution: p.text(v.member("cra"))}}
	for name, m := range v.members() {
		switch string(name) {
		case "funds":
			p.rows(&a, NPS, m, p.security)
		case "pran", "cra", "value": // read before or after the loop
		default:
			p.accountMember(&a, string(name), m)
		}
	}
	p.finishAccount(s, a, v)
}

// insurance reads the policies: a list, or an object that contains the list.
func (p *parser) insurance(v value) {
	s, policies := section{name: insuranceSection}, account{}
	if v.kind() == '[' {
		p.rows(&policies, Insurance, v, p.policy)
	} else if p.expect(v, '{') {
		for name, m := range v.members() {
			switch {
			case string(name) == "life_insurance_policies":
				p.rows(&policies, Insurance, m, p.policy)
			case m.kind() == '[':
				p.rejectRows(&policies, m)
				p.unknownMember(string(name), m)
			default:
				p.unknownMember(string(name), m)
			}
		}
	}
	if s.accounts = policies.sum.rows; policies.sum.unknowns > 0 {
		s.sum.addUnknown(v)
	}
	p.sections = append(p.sections, s)
}
