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
			p.warn(v, codeEmptyLine, "This transaction says nothing that could be kept, so it was left out.")
			continue
		}
		if t.Seq == maxTransactions {
			p.wrong(v, codeTooManyLines, "This is past the %d transactions that a statement may have.", maxTransactions)
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
			t.Date = p.transactionDate(m)
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
		case "description", "dividend_rate":
			p.plain(m)
		case "additional_info":
			p.is(m, '{')
		default:
			p.unknown(string(name), m)
		}
	}
	return t.Date != "" || t.Type != "" || t.Units.Valid || t.NAV.Valid || t.Amount.Valid || t.Balance.Valid
}

func (p *parser) transactionDate(v value) string {
	day, ok := p.date(v)
	if !ok {
		p.warn(v, codeLineDate, "This is no date such as 2026-03-31, so it was left out.")
	}
	return day
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
		p.warn(v, codeUnknownLine, "This is no known type of transaction; it was kept as it is.")
	}
	return text
}
