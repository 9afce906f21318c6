package statement

import (
	"strings"

	"github.com/shopspring/decimal"
)

const (
	// MaxRows is how many rows a statement may have. Real ones have hundreds.
	MaxRows = 20_000
	// maxRejected is how many of them may be unfit to be kept.
	maxRejected = 1000
)

// fundISIN begins the ISIN of a fund's unit. The vendor lists those that are traded
// like shares, the ETFs, among the equities.
const fundISIN = "INF"

// rows reads a list of rows of class into the account a; member reads their members.
func (p *parser) rows(a *account, class Class, list value, member func(h *Holding, name string, v value) bool) {
	if !p.is(list, '[') {
		return
	}
	for v := range list.inner() {
		if p.count(v) {
			p.row(a, class, v, member)
		}
	}
}

// row reads one row.
func (p *parser) row(a *account, class Class, v value, member func(h *Holding, name string, v value) bool) {
	h := Holding{Seq: len(p.s.Holdings), Class: class, Account: a.number, Institution: a.institution}
	var l ledger
	if p.is(v, '{') {
		for name, m := range v.members() {
			switch {
			case string(name) == "transactions":
				l.list = m
			case string(name) == "additional_info":
				p.details(&h, &l, m)
			case !member(&h, string(name), m):
				p.unknown(string(name), m)
			}
		}
	}
	transactions := p.transactions(&h, l)
	switch {
	case transactions == 0 && h.blank():
		p.reject(v, codeEmptyRow, "This row holds nothing that could be kept.")
		return
	case strings.Trim(h.Name, space) == "":
		p.warn(v, codeNoName, "This row has no name; it was kept without one.")
	}
	if h.Class == Equity && strings.HasPrefix(h.ISIN, fundISIN) {
		h.Class = ETF
	}
	a.sum.add(h.Value)
	p.s.Holdings = append(p.s.Holdings, h)
}

// blank reports whether h neither says what it is nor is worth anything. A policy
// has its number for itself; the other rows share that of their account.
func (h *Holding) blank() bool {
	for _, amount := range []*decimal.NullDecimal{&h.Units, &h.Price, &h.Value, &h.Cost, &h.Gain, &h.SumAssured} {
		if !amount.Decimal.IsZero() {
			return false
		}
	}
	return strings.Trim(h.Name, space) == "" && h.ISIN == "" && (h.Class != Insurance || h.Account == "")
}

// unclassed rejects the rows of a list that is of no known class.
func (p *parser) unclassed(list value) {
	for v := range list.inner() {
		if p.count(v) {
			p.reject(v, codeUnknownClass, "This row is in a list that is not known.")
		}
	}
}

// count counts a row. It is false when there were too many.
func (p *parser) count(v value) bool {
	if p.s.ReceivedRows++; p.s.ReceivedRows == MaxRows+1 {
		p.wrong(v, codeTooManyRows, "This is past the %d rows that a statement may have.", MaxRows)
	}
	return p.s.ReceivedRows <= MaxRows
}

// reject notes why a row is not kept. A statement of which more is rejected than
// can be told is refused.
func (p *parser) reject(v value, code, detail string) {
	switch n := len(p.s.Rejected); {
	case n < maxRejected:
		p.s.Rejected = append(p.s.Rejected, finding(v, code, "%s", detail))
	case n == maxRejected && !p.flooded:
		p.flooded = true
		p.wrong(v, codeTooMuchRefused, "This is past the %d rows of a statement that may be unfit to be kept.", maxRejected)
	}
}
