package statement

import (
	"slices"

	"github.com/shopspring/decimal"
)

// unitTolerance is by how much units may differ: statements round to three places
// or four.
var unitTolerance = decimal.New(1, -3)

// Types of transactions that change the balance one way alone, however the sign of
// their units is written in the case of outflows. The others go either way.
var (
	inflows  = []string{"PURCHASE", "PURCHASE_SIP", "SWITCH_IN", "SWITCH_IN_MERGER", "DIVIDEND_REINVEST"}
	outflows = []string{"REDEMPTION", "SWITCH_OUT", "SWITCH_OUT_MERGER"}
)

// reconcile warns of the first transaction after which a ledger has another
// balance than it says, and of a ledger that ends with other units than are held.
// The newest may come first or last.
func (p *parser) reconcile(h *Holding, l ledger, list []Transaction, places []value) {
	if len(list) == 0 {
		if l.open.Valid && l.closed.Valid && !near(l.open.Decimal, l.closed.Decimal, unitTolerance) {
			p.warn(l.list, codeLedger, "The units at the beginning and at the end differ, but there are no transactions.")
		}
		return
	}
	ends := []decimal.NullDecimal{l.closed, h.Units}
	wrong := mismatch(l.open, list, ends)
	if first, last := list[0].Date, list[len(list)-1].Date; wrong >= 0 && first >= last {
		newestFirst := slices.Clone(list)
		slices.Reverse(newestFirst)
		switch at := mismatch(l.open, newestFirst, ends); {
		case at < 0:
			return
		case first > last && at < len(list):
			wrong = len(list) - 1 - at
		case first > last:
			wrong = at
		}
	}
	switch {
	case wrong == len(list):
		p.warn(l.list, codeLedger, "The transactions end with other units than are held.")
	case wrong >= 0:
		p.warn(places[wrong], codeLedger, "This balance does not follow from the one before.")
	}
}

// mismatch returns the place of the transaction whose balance does not follow from
// those before, len(list) when the last balance is not what the ledger ends with,
// -1 when all is well. What is not stated tells nothing.
func mismatch(open decimal.NullDecimal, list []Transaction, ends []decimal.NullDecimal) int {
	balance := open
	for i := range list {
		t := &list[i]
		if t.idle() {
			continue
		}
		if balance.Valid && t.Balance.Valid && !t.leads(balance.Decimal) {
			return i
		}
		if t.Balance.Valid {
			balance = t.Balance
		} else {
			balance.Decimal = balance.Decimal.Add(t.moved())
			balance.Valid = balance.Valid && t.oneWay()
		}
	}
	for _, end := range ends {
		if balance.Valid && end.Valid && !near(balance.Decimal, end.Decimal, unitTolerance) {
			return len(list)
		}
	}
	return -1
}

// idle reports whether t moves no units and states no balance, or zero for it, as
// lines about taxes and dividends do.
func (t *Transaction) idle() bool { return t.Units.Decimal.IsZero() && t.Balance.Decimal.IsZero() }

// leads reports whether t leads from the balance before it to its own.
func (t *Transaction) leads(before decimal.Decimal) bool {
	if near(before.Add(t.moved()), t.Balance.Decimal, unitTolerance) {
		return true
	}
	return !t.oneWay() && near(before.Sub(t.moved()), t.Balance.Decimal, unitTolerance)
}

// oneWay reports whether the type of t says which way it changes the balance.
func (t *Transaction) oneWay() bool {
	return slices.Contains(inflows, t.Type) || slices.Contains(outflows, t.Type)
}

// moved is by how many units t changes the balance.
func (t *Transaction) moved() decimal.Decimal {
	if slices.Contains(outflows, t.Type) {
		return t.Units.Decimal.Abs().Neg()
	}
	return t.Units.Decimal
}

// near reports whether a and b differ by no more than tolerance.
func near(a, b, tolerance decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(tolerance)
}
