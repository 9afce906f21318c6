package statement

import "github.com/shopspring/decimal"

// folios reads a folio or a fund house with a list of folios, and returns the sum of
// the rows and the stated total. amc is the name of the fund house around v, used unless v states another.
func (p *parser) folios(s *section, v value, amc string) (sum, decimal.NullDecimal) {
	list := v.member("folios")
	if !list.present() {
		return p.folio(s, v, amc)
	}
	var house account
	isFolioToo := v.member("schemes").present()
	if isFolioToo {
		house.sum.include(p.folio(s, v, amc))
	}
	if own := p.text(v.member("amc")); own != "" {
		amc = own
	}
	if p.expect(list, '[') {
		for folio := range list.children() {
			if p.expect(folio, '{') && p.countAccount(folio) {
				house.sum.include(p.folios(s, folio, amc))
			}
		}
	}
	if !isFolioToo {
		return house.sum, p.fundHouse(house, v)
	}
	return house.sum, decimal.NullDecimal{}
}

// fundHouse reads the members of a fund house other than its folios. house has the sum
// of their rows. It returns the stated total.
func (p *parser) fundHouse(house account, v value) decimal.NullDecimal {
	total := p.accountTotal(house, v)
	for name, m := range v.members() {
		switch string(name) {
		case "amc", "folios", "value": // read before the loop
		case "registrar":
			p.ignored(m)
		default:
			p.accountMember(&house, string(name), m)
		}
	}
	return total
}

// folio reads a folio and returns the sum of its rows and the stated total. amc is the name of its fund
// house, used unless v states another.
func (p *parser) folio(s *section, v value, amc string) (sum, decimal.NullDecimal) {
	a := account{Account: Account{Kind: Folio, Number: p.number(v.member("folio_number")), Institution: p.text(v.member("amc"))}}
	if a.Number == "" {
		a.Number = p.number(v.member("folio")) // the member's name in the list of a fund house
	}
	if a.Institution == "" {
		a.Institution = amc
	}
	for name, m := range v.members() {
		switch string(name) {
		case "schemes":
			p.rows(&a, MutualFund, m, p.scheme)
		case "folio_number", "folio", "folios", "amc", "value": // read before or after the loop
		case "registrar":
			p.ignored(m)
		default:
			p.accountMember(&a, string(name), m)
		}
	}
	return a.sum, p.finishAccount(s, a, v)
}
