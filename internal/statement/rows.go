package statement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
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
	warnings, transactions := len(p.warnings), len(p.s.Transactions)
	p.beginRow()
	p.members(&h, v, read)
	p.within = frame
	switch {
	case p.rejected != nil:
		p.warnings, p.s.Transactions = p.warnings[:warnings], p.s.Transactions[:transactions]
		a.sum.addUnknown(v)
		p.reject(*p.rejected)
		return
	case len(p.s.Transactions) == transactions && h.empty():
		p.reject(newFinding(v, codeEmptyRow, "This row is empty: it has no name, no ISIN and no amount other than zero."))
		return
	case strings.Trim(h.Name, space) == "":
		p.warn(v, codeNoName, "This row has no name; it was saved without one.")
	}
	if p.residue {
		p.warn(v, codeResidue, "This row has an amount below zero by a residue of rounding; it was saved as sent.")
	}
	p.store(a, h, v)
}

// beginRow resets what the parser knows of the row that it reads.
func (p *parser) beginRow() {
	p.within, p.rejected, p.residue = row, nil, false
	p.rowAmounts = [6]value{}
	p.canonical.discard()
}

// members reads the members of the row v, and its transactions after them.
func (p *parser) members(h *Holding, v value, read readMember) {
	var l ledger
	if !p.expect(v, '{') {
		return
	}
	for name, m := range v.members() {
		switch {
		case string(name) == "transactions":
			l.list = m
		case string(name) == "additional_info":
			p.rowInfo(h, &l, m)
		case read(h, string(name), m):
		case isEncumbrance(string(name)):
			p.encumbrance(v, m)
		default:
			p.unknownMember(string(name), m)
		}
	}
	p.transactions(h, l)
}

// store adds the row h, read from v, to the holdings.
func (p *parser) store(a *account, h Holding, v value) {
	if h.Class == Equity && strings.HasPrefix(h.ISIN, fundISINPrefix) {
		h.Class = ETF
	}
	p.canonical.row(&h, p.rowAmounts)
	if h.Class == Insurance { // each row is a policy, which is an account, and states no value
		p.s.Accounts = append(p.s.Accounts, Account{Kind: Policy, Number: h.Account, Institution: h.Institution})
	}
	a.sum.add(h.Value, v)
	p.s.Holdings = append(p.s.Holdings, h)
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

// rejectRows rejects the rows of a list of an unknown class in the account a.
func (p *parser) rejectRows(a *account, list value) {
	for v := range list.children() {
		if p.countRow(v) {
			a.sum.addUnknown(v)
			p.reject(newFinding(v, codeUnknownClass, "This row is in a list of an unknown class."))
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
func (p *parser) reject(why fault.Field) {
	switch n := len(p.s.Rejected); {
	case n < maxRejected:
		p.s.Rejected = append(p.s.Rejected, why)
	case n == maxRejected && !p.tooManyRejected:
		p.tooManyRejected = true
		p.faults = append(p.faults, fault.Field{
			Pointer: why.Pointer, Code: codeTooManyRejected,
			Detail: fmt.Sprintf("At most %d rows of a statement may be unusable.", maxRejected),
		})
	}
}

// noRowLeft reports whether the statement has rows, but none that can be stored. Empty
// rows are not counted: an account may have nothing in it.
func (s *Statement) noRowLeft() bool {
	return s.StoredRows == 0 && slices.ContainsFunc(s.Rejected, func(f fault.Field) bool { return f.Code != codeEmptyRow })
}
