package statement

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// totalTolerance is by how many rupees a total may differ from the sum of its rows.
var totalTolerance = decimal.NewFromInt(1)

// sum is the sum of the values of rows.
type sum struct {
	rows  int
	value decimal.Decimal // of the rows that state a value
	// stated is like value, but has the stated totals of accounts and sections in place of
	// their rows.
	stated   decimal.Decimal
	unknown  []value // the first rows and sections of which no value is known
	unknowns int     // how many there are
}

// maxUnknown is how many parts without a value a warning names.
const maxUnknown = 3

// add adds one row, which was read from v.
func (s *sum) add(amount decimal.NullDecimal, v value) {
	s.rows++
	if !amount.Valid {
		s.addUnknown(v)
	}
	s.value, s.stated = s.value.Add(amount.Decimal), s.stated.Add(amount.Decimal)
}

// addUnknown adds a part of which no value is known.
func (s *sum) addUnknown(v value) {
	if s.unknowns++; len(s.unknown) < maxUnknown {
		s.unknown = append(s.unknown, v)
	}
}

// include adds the rows of a part, and what it states about their total.
func (s *sum) include(part sum, total decimal.NullDecimal) {
	s.rows += part.rows
	s.value = s.value.Add(part.value)
	if total.Valid {
		s.stated = s.stated.Add(total.Decimal)
		return
	}
	s.stated = s.stated.Add(part.stated)
	s.unknowns += part.unknowns
	s.unknown = append(s.unknown, part.unknown[:min(len(part.unknown), maxUnknown-len(s.unknown))]...)
}

// section is a section of the statement, for comparison with the summary.
type section struct {
	name     string // in summary.accounts
	accounts int
	sum      sum
	total    decimal.NullDecimal // as the summary states it
}

// compareTotal warns if a stated total is neither the sum of its rows nor that of what
// their accounts and sections state, or if a part of it is not known.
func (p *parser) compareTotal(at value, total decimal.Decimal, s sum, code string) {
	switch {
	case within(total, s.value, totalTolerance) || within(total, s.stated, totalTolerance):
	case s.unknowns > 0 && total.GreaterThan(s.stated):
		p.warn(at, codeUnchecked, "This is %s, of which %s is known; no value is known of %s.", FormatRupees(total), FormatRupees(s.stated), s.names())
	case s.stated.Equal(s.value):
		p.warn(at, code, "This is %s, but the rows add up to %s.", FormatRupees(total), FormatRupees(s.value))
	default:
		p.warn(at, code, "This is %s, but the rows add up to %s and the stated parts to %s.",
			FormatRupees(total), FormatRupees(s.value), FormatRupees(s.stated))
	}
}

// names lists the parts without a value by their pointers.
func (s *sum) names() string {
	names := make([]string, 0, maxUnknown)
	for _, v := range s.unknown {
		names = append(names, v.pointer())
	}
	if more := s.unknowns - len(names); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}

// insuranceSection is the one section with rows that state no value.
const insuranceSection = "insurance"

// summary reads the statement's total, which is the sum of the rows if not stated, and
// compares the summary with the sections.
func (p *parser) summary(v value) {
	for _, s := range p.sections {
		p.s.TotalValue = p.s.TotalValue.Add(s.sum.value)
	}
	if !p.optional(v, '{') {
		return
	}
	p.accountCounts(v.member("accounts"))
	for name, m := range v.members() {
		switch string(name) {
		case "total_value":
			if total := p.rupees(m); total.Valid {
				p.s.TotalValue = total.Decimal
				p.compareTotal(m, total.Decimal, p.sumOfSections(), codeTotal)
			}
		case "accounts", "statement_period": // read before
		default:
			p.unknownMember(string(name), m)
		}
	}
}

// sumOfSections adds up all sections. What the summary states of the insurance is in both
// sums, because its rows state nothing.
func (p *parser) sumOfSections() (all sum) {
	for _, s := range p.sections {
		if s.name == insuranceSection {
			s.sum.value = s.sum.value.Add(s.total.Decimal)
		}
		all.include(s.sum, s.total)
	}
	return all
}

// accountCounts compares summary.accounts with the sections: an object with a count and
// a total for each, or only its count.
func (p *parser) accountCounts(v value) {
	if !p.optional(v, '{') {
		return
	}
	for name, m := range v.members() {
		s, count := p.sectionNamed(string(name)), m
		if m.kind() == '{' {
			count = m.member("count")
			total := m.member("total_value")
			if s.total = p.rupees(total); s.total.Valid && s.name != insuranceSection {
				p.compareTotal(total, s.total.Decimal, s.sum, codeSectionTotal)
			}
		}
		if n := p.amount(count); n.Valid && !n.Decimal.Equal(decimal.NewFromInt(int64(s.accounts))) {
			p.warn(count, codeAccountCount, "This is %s, but the statement has %d.", FormatUnits(n.Decimal), s.accounts)
		}
	}
}

// sectionNamed returns the section that summary.accounts calls name, such as "demat" or
// "demat_accounts"; a new one if the statement does not have that section.
func (p *parser) sectionNamed(name string) *section {
	for i := range p.sections {
		if s := &p.sections[i]; name == s.name || name == s.name+"_accounts" {
			return s
		}
	}
	return &section{name: name}
}
