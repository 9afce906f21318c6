package statement

import (
	"bytes"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// maxTransactions is the number of transactions that a statement may have in all.
const maxTransactions = 100_000

// maxShared is how many strings are shared by transactions.
const maxShared = 2000

// transactionTypes are the vendor's types of transactions.
var transactionTypes = []string{
	"PURCHASE", "PURCHASE_SIP", "REDEMPTION", "SWITCH_IN", "SWITCH_IN_MERGER", "SWITCH_OUT", "SWITCH_OUT_MERGER",
	"DIVIDEND_PAYOUT", "DIVIDEND_REINVEST", "SEGREGATION", "STAMP_DUTY_TAX", "TDS_TAX", "STT_TAX", "MISC", "REVERSAL", "UNKNOWN",
}

// ledger is what a row states about its transactions.
type ledger struct {
	list    value               // of the transactions
	opening decimal.NullDecimal // units before the first
	closing decimal.NullDecimal // units after the last
}

// transactions reads the transactions of h.
func (p *parser) transactions(h *Holding, l ledger) {
	first := len(p.s.Transactions)
	if !p.expect(l.list, '[') {
		return
	}
	p.within = transaction
	p.transactionValues = p.transactionValues[:0]
	for v := range l.list.children() {
		t := Transaction{Seq: len(p.s.Transactions), Holding: h.Seq}
		if !v.is('{') || !p.transaction(&t, v) {
			p.warn(v, codeEmptyTransaction, "This transaction is empty; it was left out.")
			continue
		}
		if t.Seq == maxTransactions {
			p.fault(v, codeTooManyTransactions, "A statement may have at most %d transactions.", maxTransactions)
		}
		if t.Seq >= maxTransactions {
			break
		}
		p.s.Transactions = append(p.s.Transactions, t)
		p.transactionValues = append(p.transactionValues, v)
	}
	p.reconcile(h, l, p.s.Transactions[first:], p.transactionValues)
}

// transaction reads one transaction. It returns false if nothing of it can be stored.
func (p *parser) transaction(t *Transaction, v value) bool {
	var amounts [4]value
	for name, m := range v.members() {
		switch string(name) {
		case "date":
			t.Date = p.transactionDate(m)
		case "type":
			t.Type = p.transactionType(m)
		case "units":
			t.Units, amounts[0] = p.signedAmount(m), m
		case "nav":
			t.NAV, amounts[1] = p.signedAmount(m), m
		case "amount":
			t.Amount, amounts[2] = p.signedAmount(m), m
		case "balance":
			t.Balance, amounts[3] = p.signedAmount(m), m
		case "description":
			t.Description = p.description(m)
		case "dividend_rate":
			p.ignored(m)
		case "additional_info":
			p.optional(m, '{')
		default:
			p.unknownMember(string(name), m)
		}
	}
	kept := t.Date != "" || t.Type != "" || t.Units.Valid || t.NAV.Valid || t.Amount.Valid || t.Balance.Valid
	if kept {
		p.canonical.transaction(t, amounts)
	}
	return kept
}

// transactionDate reads the date of a transaction, "" if it is not a date.
func (p *parser) transactionDate(v value) string {
	if v.kind() == '"' {
		raw := v.raw()
		if text := raw[1 : len(raw)-1]; isSimpleDate(string(text)) {
			return p.shared(text)
		}
	}
	day, ok := p.date(v)
	if !ok {
		p.warn(v, codeTransactionDate, "This is not a date such as 2026-03-31; it was left out.")
	}
	return day
}

// description reads the description of a transaction.
func (p *parser) description(v value) string {
	if v.kind() != '"' {
		p.ignored(v)
		return ""
	}
	if raw := v.raw(); bytes.IndexByte(raw, '\\') < 0 && len(raw) <= maxText {
		return p.shared(raw[1 : len(raw)-1])
	}
	return p.text(v)
}

// shared returns text as a string. Many transactions of a statement have one of a few
// dates and descriptions, so each is allocated once.
func (p *parser) shared(text []byte) string {
	if known, ok := p.strings[string(text)]; ok {
		return known
	}
	s := string(text)
	if p.strings == nil {
		p.strings = map[string]string{}
	}
	if len(p.strings) < maxShared {
		p.strings[s] = s
	}
	return s
}

// transactionType reads the type of a transaction, in upper case. It first compares the
// raw text, because nearly all types are known and need no allocation.
func (p *parser) transactionType(v value) string {
	if v.kind() == '"' {
		raw := v.raw()
		for _, t := range transactionTypes {
			if t == string(raw[1:len(raw)-1]) {
				return t
			}
		}
	}
	text := strings.ToUpper(strings.Trim(p.text(v), space))
	if text == "DIVIDEND_REINVESTMENT" { // as older documents of the vendor call it
		return "DIVIDEND_REINVEST"
	}
	if text != "" && !slices.Contains(transactionTypes, text) {
		p.warn(v, codeTransactionType, "This type of transaction is unknown; it was saved as sent.")
	}
	return text
}
