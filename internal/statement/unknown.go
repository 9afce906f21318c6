package statement

import (
	"slices"
	"strings"
)

// worthy are words in the names of members that hold value.
var worthy = []string{
	"value", "unit", "amount", "balance", "quantity", "qty", "shares", "cost", "nav", "price", "assured", "insured",
	"principal", "corpus", "worth", "invested",
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

// holdsValue reports whether a number other than zero is somewhere in v under a
// name that speaks of value.
func holdsValue(name string, v value) bool {
	switch v.kind() {
	case '{', '[':
		for m := range v.inner() {
			inner := name
			if v.kind() == '{' {
				inner = string(m.name())
			}
			if holdsValue(inner, m) {
				return true
			}
		}
		return false
	case '0', '"':
		if !speaksOfValue(name) {
			return false
		}
		written, ok := figures(v)
		if !ok || len(written) == 0 {
			return false
		}
		d, ok := exact(written)
		return !ok || !d.IsZero()
	default:
		return false
	}
}

func speaksOfValue(name string) bool {
	name = strings.ToLower(name)
	for _, word := range worthy {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
