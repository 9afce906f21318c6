package statement

import (
	"strings"

	"github.com/shopspring/decimal"
)

const (
	// MaxRows is the number of rows that a statement may have. Real ones have hundreds.
	MaxRows = 20_000
	// maxRejected is the number of rows of a statement that may be rejected.
	maxRejected = 1000
)

// fundISINPrefix starts the ISIN of each fund. The vendor lists funds that are traded
// like shares, ETFs, among the equities.
const fundISINPrefix = "INF"

// readMember reads the member of a row that has this name into h. It returns false for
// an unknown member.
type readMember func(h *Holding, name string, v value) bool

// rows reads a list of rows of the account a.
func (p *parser) rows(a *account, class Class, list value, read readMember) {
	if !p.expect(list, '[') {
		return
	}
	for v := range list.children() {
		if p.countRow(v) {
			p.row(a, class, v, read)
		}
	}
}

// row reads one row into a Holding, or rejects it.
func (p *parser) row(a *account, class Class, v value, read readMember) {
	h := Holding{Seq: len(p.s.Holdings), Class: class, Account: a.Number, Institution: a.Institution, AccountIndex: len(p.s.Accounts)}
	p.rowAmounts = [6]value{}
	p.canonical.discard()
	var l ledger
	if p.expect(v, '{') {
		for name, m := range v.members() {
			switch {
			case string(name) == "transactions":
				l.list = m
			case string(name) == "additional_info":
				p.rowInfo(&h, &l, m)
			case !read(&h, string(name), m):
				p.unknownMember(string(name), m)
			}
		}
	}
	transactions := p.transactions(&h, l)
	switch {
	case transactions == 0 && h.empty():
		p.reject(v, codeEmptyRow, "This row is empty: it has no name, no ISIN and no amount other than zero.")
		return
	case strings.Trim(h.Name, space) == "":
		p.warn(v, codeNoName, "This row has no name; it was saved without one.")
	}
	if h.Class == Equity && strings.HasPrefix(h.ISIN, fundISINPrefix) {
		h.Class = ETF
	}
	p.canonical.row(&h, p.rowAmounts)
	a.sum.add(h.Value)
	p.s.Holdings = append(p.s.Holdings, h)
	if h.Class == Insurance { // each row is a policy, which is an account
		p.s.Accounts = append(p.s.Accounts, Account{Kind: Policy, Number: h.Account, Institution: h.Institution})
	}
}

// empty reports whether h has no name, no ISIN and no amount other than zero. The
// number of a policy is its own and counts; other rows have that of their account.
func (h *Holding) empty() bool {
	for _, amount := range []*decimal.NullDecimal{&h.Units, &h.Price, &h.Value, &h.Cost, &h.Gain, &h.SumAssured} {
		if !amount.Decimal.IsZero() {
			return false
		}
	}
	return strings.Trim(h.Name, space) == "" && h.ISIN == "" && (h.Class != Insurance || h.Account == "")
}

// rejectRows rejects the rows of a list of an unknown class.
func (p *parser) rejectRows(list value) {
	for v := range list.children() {
		if p.countRow(v) {
			p.reject(v, codeUnknownClass, "This row is in a list of an unknown class.")
		}
	}
}

// countRow counts a row. It returns false if there are more than MaxRows.
func (p *parser) countRow(v value) bool {
	if p.s.ReceivedRows++; p.s.ReceivedRows == MaxRows+1 {
		p.fault(v, codeTooManyRows, "A statement may have at most %d rows.", MaxRows)
	}
	return p.s.ReceivedRows <= MaxRows
}

// reject records why a row is not stored. Too many rejected rows are a fault.
func (p *parser) reject(v value, code, detail string) {
	switch n := len(p.s.Rejected); {
	case n < maxRejected:
		p.s.Rejected = append(p.s.Rejected, newFinding(v, code, "%s", detail))
	case n == maxRejected && !p.tooManyRejected:
		p.tooManyRejected = true
		p.fault(v, codeTooManyRejected, "At most %d rows of a statement may be unusable.", maxRejected)
	}
}
