package statement

import (
	"regexp"
	"slices"
	"strings"
)

// worthy are words in the names of members that hold value.
var worthy = []string{
	"value", "unit", "amount", "balance", "quantity", "qty", "shares", "cost", "nav", "price", "assured", "insured",
	"principal", "corpus", "worth", "wealth", "invested", "val", "total", "deposit", "accumul", "maturity", "outstanding", "contribution",
}

// names are those of the members that a statement is read from, and of the amounts
// among them.
var names = append([]string{
	"meta", "investor", "summary", "statement_period", "generated_at", "from", "to", "cas_type", "total_value", "accounts",
	"demat_accounts", "mutual_funds", "insurance", "nps", "holdings", "folios", "value", "name", "pan", "isin", "units", "nav",
	"cost", "gain", "absolute", "type", "transactions", "additional_info", "amc", "folio_number", "dp_id", "dp_name", "client_id",
	"bo_id", "pran", "cra", "policy_number", "policy_name", "provider", "sum_assured", "date", "amount", "balance", "tier",
}, lists...)

// unknown warns of a member that is not known but holds value, or that differs
// from a known one in the case of its letters alone.
func (p *parser) unknown(name string, v value) {
	lower := strings.ToLower(name)
	switch {
	case len(p.warnings) > maxFindings || !v.stated():
	case lower != name && slices.Contains(names, lower):
		p.warn(v, codeOtherCase, "The name is not written as the vendor writes it, so this was left out.")
	case holdsValue(name, v):
		p.warn(v, codeNotUnderstood, "This seems to hold value, but is not known here, so it was left out.")
	}
}

// aside looks at a member of additional_info, where the vendor puts what varies.
// A single amount among it describes a row whose value is stated; a list or an
// object may hold more.
func (p *parser) aside(name string, v value) {
	if v.kind() == '[' || v.kind() == '{' {
		p.unknown(name, v)
	}
}

// holdsValue reports whether an amount other than zero is somewhere in v: under a
// name that speaks of value or, in a list of objects, as rows come in, any number
// under any name.
func holdsValue(name string, v value) bool {
	switch v.kind() {
	case '{':
		for name, m := range v.members() {
			if holdsValue(string(name), m) {
				return true
			}
		}
	case '[':
		for e := range v.inner() {
			if holdsValue(name, e) || hasNumber(e) {
				return true
			}
		}
	case '0':
		return speaksOfValue(name) && !zero(v)
	case '"':
		return speaksOfValue(name) && len(v.raw()) <= maxAmountText && amountForm.MatchString(v.text())
	}
	return false
}

// hasNumber reports whether an object has a member that is a number other than zero.
func hasNumber(v value) bool {
	if v.kind() != '{' {
		return false
	}
	for m := range v.inner() {
		if m.kind() == '0' && !zero(m) {
			return true
		}
	}
	return false
}

// zero reports whether a number is zero.
func zero(v value) bool {
	d, ok := exact(v.raw())
	return ok && d.IsZero()
}

// maxAmountText is more than people write an amount in, in bytes.
const maxAmountText = 64

// amountForm is that of an amount as people write it, other than zero: "1,23,456.00",
// "Rs. 100", "₹ 5 lakh".
var amountForm = regexp.MustCompile(`^[^0-9]{0,6}[0-9,. ]*[1-9][0-9,. ]*[^0-9]{0,8}$`)

func speaksOfValue(name string) bool {
	name = strings.ToLower(name)
	for _, word := range worthy {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
