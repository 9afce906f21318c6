package statement

import "github.com/shopspring/decimal"

// tolerance is by how many rupees a total may differ from what it is the total of.
var tolerance = decimal.NewFromInt(1)

// sum adds up the values of rows.
type sum struct {
	rows    int
	unknown bool // a row states no value
	value   decimal.Decimal
}

func (s *sum) add(value decimal.NullDecimal) {
	s.rows++
	s.unknown = s.unknown || !value.Valid
	s.value = s.value.Add(value.Decimal)
}

func (s *sum) include(other sum) {
	s.rows += other.rows
	s.unknown = s.unknown || other.unknown
	s.value = s.value.Add(other.value)
}

// part is one section of a statement as its summary counts it.
type part struct {
	name     string // in summary.accounts
	accounts int
	sum      sum
}

// compare warns when a stated total differs from the sum of what it is of. Where
// some of that is not stated, the total may be more than the sum, but not less.
func (p *parser) compare(at value, stated decimal.Decimal, of sum, code string) {
	if near(stated, of.value, tolerance) || of.unknown && stated.GreaterThan(of.value) {
		return
	}
	p.warn(at, code, "This is %s, but the rows add up to %s.", Rupees(stated), Rupees(of.value))
}

// insurancePart is the one part whose rows state no value.
const insurancePart = "insurance"

// summary compares what the summary says with what was read, and takes its total;
// where it states none, the total is the sum of the rows.
func (p *parser) summary(v value) {
	for _, part := range p.parts {
		p.s.TotalValue = p.s.TotalValue.Add(part.sum.value)
	}
	if !p.is(v, '{') {
		return
	}
	insured := p.counts(v.member("accounts"))
	for name, m := range v.members() {
		switch string(name) {
		case "total_value":
			if total := p.amount(m); total.Valid {
				p.s.TotalValue = total.Decimal
				p.compare(m, total.Decimal, p.sum(insured), codeTotal)
			}
		case "accounts", "statement_period": // read before
		default:
			p.unknown(string(name), m)
		}
	}
}

// sum adds up all parts. What the policies are worth is insured, if that is stated.
func (p *parser) sum(insured decimal.NullDecimal) (all sum) {
	for _, part := range p.parts {
		if part.name == insurancePart && insured.Valid {
			part.sum = sum{}
		}
		all.include(part.sum)
	}
	all.value = all.value.Add(insured.Decimal)
	return all
}

// counts compares summary.accounts, which has for each section its count and
// total, or its count alone. It returns the total of the insurance.
func (p *parser) counts(v value) (insured decimal.NullDecimal) {
	if !p.is(v, '{') {
		return insured
	}
	for name, m := range v.members() {
		part, count := p.part(string(name)), m
		if m.kind() == '{' {
			count = m.member("count")
			total := p.amount(m.member("total_value"))
			switch {
			case part.name == insurancePart:
				insured = total
			case total.Valid:
				p.compare(m.member("total_value"), total.Decimal, part.sum, codeSectionTotal)
			}
		}
		if n := p.amount(count); n.Valid && !n.Decimal.Equal(decimal.NewFromInt(int64(part.accounts))) {
			p.warn(count, codeAccountCount, "This is %s, but there are %d.", Plain(n.Decimal), part.accounts)
		}
	}
	return insured
}

// part is the one that summary.accounts calls name: "demat" or "demat_accounts".
func (p *parser) part(name string) part {
	for _, read := range p.parts {
		if name == read.name || name == read.name+"_accounts" {
			return read
		}
	}
	return part{name: name}
}
