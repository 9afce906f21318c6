package statement

import "github.com/shopspring/decimal"

// totalTolerance is by how many rupees a total may differ from the sum of its rows.
var totalTolerance = decimal.NewFromInt(1)

// sum is the sum of the values of rows.
type sum struct {
	rows       int
	incomplete bool // at least one row states no value
	value      decimal.Decimal
}

// add adds one row.
func (s *sum) add(value decimal.NullDecimal) {
	s.rows++
	s.incomplete = s.incomplete || !value.Valid
	s.value = s.value.Add(value.Decimal)
}

// include adds all rows of another sum.
func (s *sum) include(other sum) {
	s.rows += other.rows
	s.incomplete = s.incomplete || other.incomplete
	s.value = s.value.Add(other.value)
}

// section counts a section of the statement, for comparison with the summary.
type section struct {
	name     string // in summary.accounts
	accounts int
	sum      sum
}

// compareTotal warns if a stated total differs from the sum of its rows. If that sum
// is incomplete, the total may be larger, but not smaller.
func (p *parser) compareTotal(at value, stated decimal.Decimal, rows sum, code string) {
	if within(stated, rows.value, totalTolerance) || rows.incomplete && stated.GreaterThan(rows.value) {
		return
	}
	p.warn(at, code, "This is %s, but the rows add up to %s.", FormatRupees(stated), FormatRupees(rows.value))
}

// insuranceSection is the one section with rows that state no value.
const insuranceSection = "insurance"

// summary reads the statement's total, which is the sum of the rows if not stated, and
// compares the summary with the sections.
func (p *parser) summary(v value) {
	for _, s := range p.sections {
		p.s.TotalValue = p.s.TotalValue.Add(s.sum.value)
	}
	if !p.expect(v, '{') {
		return
	}
	insured := p.accountCounts(v.member("accounts"))
	for name, m := range v.members() {
		switch string(name) {
		case "total_value":
			if total := p.amount(m); total.Valid {
				p.s.TotalValue = total.Decimal
				p.compareTotal(m, total.Decimal, p.sumOfSections(insured), codeTotal)
			}
		case "accounts", "statement_period": // read before
		default:
			p.unknownMember(string(name), m)
		}
	}
}

// sumOfSections adds up all sections. insured is the stated total of the insurance.
func (p *parser) sumOfSections(insured decimal.NullDecimal) (all sum) {
	for _, s := range p.sections {
		if s.name == insuranceSection && insured.Valid {
			s.sum = sum{}
		}
		all.include(s.sum)
	}
	all.value = all.value.Add(insured.Decimal)
	return all
}

// accountCounts compares summary.accounts with the sections: an object with a count and
// a total for each, or only its count. It returns the stated total of the insurance.
func (p *parser) accountCounts(v value) (insured decimal.NullDecimal) {
	if !p.expect(v, '{') {
		return insured
	}
	for name, m := range v.members() {
		s, count := p.sectionNamed(string(name)), m
		if m.kind() == '{' {
			count = m.member("count")
			total := p.amount(m.member("total_value"))
			switch {
			case s.name == insuranceSection:
				insured = total
			case total.Valid:
				p.compareTotal(m.member("total_value"), total.Decimal, s.sum, codeSectionTotal)
			}
		}
		if n := p.amount(count); n.Valid && !n.Decimal.Equal(decimal.NewFromInt(int64(s.accounts))) {
			p.warn(count, codeAccountCount, "This is %s, but the statement has %d.", FormatUnits(n.Decimal), s.accounts)
		}
	}
	return insured
}

// sectionNamed returns the section that summary.accounts calls name, such as "demat" or
// "demat_accounts". It is empty if the statement does not have that section.
func (p *parser) sectionNamed(name string) section {
	for _, s := range p.sections {
		if name == s.name || name == s.name+"_accounts" {
			return s
		}
	}
	return section{name: name}
}
