package statement

import (
	"slices"

	"github.com/shopspring/decimal"
)

// unitTolerance is by how many units balances may differ: statements round to three or
// four places.
var unitTolerance = decimal.New(1, -3)

// Types of transactions that change the balance in one direction only; the units of
// outflows may be written with either sign. The other types go in either direction.
var (
	inflows  = []string{"PURCHASE", "PURCHASE_SIP", "SWITCH_IN", "SWITCH_IN_MERGER", "DIVIDEND_REINVEST"}
	outflows = []string{"REDEMPTION", "SWITCH_OUT", "SWITCH_OUT_MERGER"}
)

// reconcile warns of the first transaction with a balance that does not follow from the
// previous one, or of a final balance that differs from the units held. Transactions
// may be sorted either way. values are parallel to list.
func (p *parser) reconcile(h *Holding, l ledger, list []Transaction, values []value) {
	if len(list) == 0 {
		if l.opening.Valid && l.closing.Valid && !within(l.opening.Decimal, l.closing.Decimal, unitTolerance) {
			p.warn(l.list, codeLedger, "Opening and closing units differ, but there are no transactions.")
		}
		return
	}
	final := []decimal.NullDecimal{l.closing, h.Units}
	mismatch := firstMismatch(l.opening, list, final)
	if first, last := list[0].Date, list[len(list)-1].Date; mismatch >= 0 && first >= last {
		reversed := slices.Clone(list)
		slices.Reverse(reversed)
		switch i := firstMismatch(l.opening, reversed, final); {
		case i < 0:
			return
		case first > last && i < len(list):
			mismatch = len(list) - 1 - i
		case first > last:
			mismatch = i
		}
	}
	switch {
	case mismatch == len(list):
		p.warn(l.list, codeLedger, "The units after the last transaction differ from the units held.")
	case mismatch >= 0:
		p.warn(values[mismatch], codeLedger, "This balance does not follow from the previous one.")
	}
}

// firstMismatch returns the index of the first transaction with a balance that does not
// follow from the previous one, len(list) if the last balance differs from one of
// final, and -1 if everything agrees. Amounts that are not stated agree with any.
func firstMismatch(opening decimal.NullDecimal, list []Transaction, final []decimal.NullDecimal) int {
	balance := opening
	for i := range list {
		t := &list[i]
		if t.movesNothing() {
			continue
		}
		if balance.Valid && t.Balance.Valid && !t.follows(balance.Decimal) {
			return i
		}
		if t.Balance.Valid {
			balance = t.Balance
		} else {
			balance.Decimal = balance.Decimal.Add(t.unitChange())
			balance.Valid = balance.Valid && t.hasDirection()
		}
	}
	for _, units := range final {
		if balance.Valid && units.Valid && !within(balance.Decimal, units.Decimal, unitTolerance) {
			return len(list)
		}
	}
	return -1
}

// movesNothing reports whether t moves no units and has no balance, or zero for it, as
// in lines about taxes and dividends.
func (t *Transaction) movesNothing() bool {
	return t.Units.Decimal.IsZero() && t.Balance.Decimal.IsZero()
}

// follows reports whether the balance of t follows from the previous balance.
func (t *Transaction) follows(previous decimal.Decimal) bool {
	if within(previous.Add(t.unitChange()), t.Balance.Decimal, unitTolerance) {
		return true
	}
	return !t.hasDirection() && within(previous.Sub(t.unitChange()), t.Balance.Decimal, unitTolerance)
}

// hasDirection reports whether the type of t determines the direction of its units.
func (t *Transaction) hasDirection() bool {
	return slices.Contains(inflows, t.Type) || slices.Contains(outflows, t.Type)
}

// unitChange returns by how many units t changes the balance.
func (t *Transaction) unitChange() decimal.Decimal {
	if slices.Contains(outflows, t.Type) {
		return t.Units.Decimal.Abs().Neg()
	}
	return t.Units.Decimal
}

// within reports whether a and b differ by no more than tolerance.
func within(a, b, tolerance decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(tolerance)
}
