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

// compare warns when a stated total differs from the sum of what it is of. A sum
// of which something is not stated tells nothing.
func (p *parser) compare(at value, stated decimal.Decimal, of sum, code, what string) {
	if of.rows > 0 && !of.unknown && !near(stated, of.value, tolerance) {
		p.warn(at, code, "is %s, but %s add up to %s", Rupees(stated), what, Rupees(of.value))
	}
}

// summary compares what the summary says with what was read, and takes its total;
// where it states none, the total is the sum of the rows.
func (p *parser) summary(v value) {
	var all sum
	for _, part := range p.parts {
		all.include(part.sum)
	}
	p.s.TotalValue = all.value
	if !p.is(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch string(name) {
		case "total_value":
			if total := p.amount(m); total.Valid {
				p.s.TotalValue = total.Decimal
				p.compare(m, total.Decimal, all, "total_mismatch", "the rows")
			}
		case "accounts":
			p.counts(m)
		case "statement_period": // read before
		default:
			p.unknown(string(name), m)
		}
	}
}

// counts compares summary.accounts, which has for each section its count and
// total, or its count alone.
func (p *parser) counts(v value) {
	if !p.is(v, '{') {
		return
	}
	for name, m := range v.members() {
		part := part{name: string(name)}
		for _, read := range p.parts {
			if read.name == part.name || read.name+"_accounts" == part.name {
				part = read
			}
		}
		count := m
		if m.kind() == '{' {
			count = m.member("count")
			if total := p.amount(m.member("total_value")); total.Valid {
				p.compare(m.member("total_value"), total.Decimal, part.sum, "section_total_mismatch", "its rows")
			}
		}
		if n := p.amount(count); n.Valid && !n.Decimal.Equal(decimal.NewFromInt(int64(part.accounts))) {
			p.warn(count, "account_count_mismatch", "is %s, but there are %d", Plain(n.Decimal), part.accounts)
		}
	}
}
