package statement

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// maxTransactions is how many transactions a statement may have in all.
const maxTransactions = 100_000

// types are the vendor's types of transactions.
var types = []string{
	"PURCHASE", "PURCHASE_SIP", "REDEMPTION", "SWITCH_IN", "SWITCH_IN_MERGER", "SWITCH_OUT", "SWITCH_OUT_MERGER",
	"DIVIDEND_PAYOUT", "DIVIDEND_REINVEST", "SEGREGATION", "STAMP_DUTY_TAX", "TDS_TAX", "STT_TAX", "MISC", "REVERSAL", "UNKNOWN",
}

// outflows are those that take units out, however their sign is written.
var outflows = []string{"REDEMPTION", "SWITCH_OUT", "SWITCH_OUT_MERGER"}

// ledger is what a row says of its transactions.
type ledger struct {
	list   value
	open   decimal.NullDecimal // units before the first
	closed decimal.NullDecimal // units after the last
}

// transactions reads the ledger of h and returns how many transactions it has.
func (p *parser) transactions(h *Holding, l ledger) int {
	first := len(p.s.Transactions)
	if !p.is(l.list, '[') {
		return 0
	}
	p.places = p.places[:0]
	for v := range l.list.inner() {
		t := Transaction{Seq: len(p.s.Transactions), Holding: h.Seq}
		if !p.is(v, '{') || !p.transaction(&t, v) {
			p.warn(v, "empty_transaction", "says nothing that could be kept")
			continue
		}
		if t.Seq == maxTransactions {
			p.wrong(v, "too_many_transactions", "is past the %d transactions that a statement may have", maxTransactions)
		}
		if t.Seq >= maxTransactions {
			break
		}
		p.s.Transactions = append(p.s.Transactions, t)
		p.places = append(p.places, v)
	}
	p.reconcile(h, l, p.s.Transactions[first:], p.places)
	return len(p.s.Transactions) - first
}

// transaction reads one transaction, and reports whether it says anything.
func (p *parser) transaction(t *Transaction, v value) bool {
	for name, m := range v.members() {
		switch string(name) {
		case "date":
			t.Date = p.date(m)
		case "type":
			t.Type = p.transactionType(m)
		case "units":
			t.Units = p.signed(m)
		case "nav":
			t.NAV = p.signed(m)
		case "amount":
			t.Amount = p.signed(m)
		case "balance":
			t.Balance = p.signed(m)
		case "description", "dividend_rate", "additional_info":
		default:
			p.unknown(string(name), m)
		}
	}
	return t.Date != "" || t.Type != "" || t.Units.Valid || t.NAV.Valid || t.Amount.Valid || t.Balance.Valid
}

func (p *parser) transactionType(v value) string {
	if v.kind() == '"' {
		raw := v.raw()
		for _, t := range types {
			if t == string(raw[1:len(raw)-1]) {
				return t
			}
		}
	}
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	if text != "" && !slices.Contains(types, text) {
		p.warn(v, "unknown_transaction_type", "is no known type of transaction, so it was kept as it is")
	}
	return text
}

// unitTolerance is by how much units may differ: statements round to three places
// or four.
var unitTolerance = decimal.New(1, -3)

// reconcile warns of the first transaction after which a ledger has another
// balance than it says, and of a ledger that ends with other units than are held.
func (p *parser) reconcile(h *Holding, l ledger, list []Transaction, places []value) {
	if n := len(list); n > 1 && list[0].Date > list[n-1].Date { // the newest comes first
		list, places = slices.Clone(list), slices.Clone(places)
		slices.Reverse(list)
		slices.Reverse(places)
	}
	balance := l.open
	for i := range list {
		t := &list[i]
		if balance.Valid && t.Balance.Valid && !t.leads(balance.Decimal) {
			p.warn(places[i], "ledger_mismatch", "has a balance that does not follow from the one before")
			return
		}
		switch {
		case t.Balance.Valid:
			balance = t.Balance
		case balance.Valid:
			balance.Decimal = balance.Decimal.Add(t.moved())
		}
	}
	held := l.closed
	if !held.Valid {
		held = h.Units
	}
	if len(list) > 0 && balance.Valid && held.Valid && !near(balance.Decimal, held.Decimal, unitTolerance) {
		p.warn(l.list, "ledger_mismatch", "ends with other units than are held")
	}
}

// leads reports whether t leads from the balance before it to its own.
func (t *Transaction) leads(before decimal.Decimal) bool {
	return near(before.Add(t.moved()), t.Balance.Decimal, unitTolerance)
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
