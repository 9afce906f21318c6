package statement

import (
	"regexp"
	"slices"
	"strings"
)

// valueWords are parts of the names of members that hold value.
var valueWords = []string{
	"value", "unit", "amount", "balance", "quantity", "qty", "shares", "cost", "nav", "price", "assured", "insured",
	"principal", "corpus", "worth", "wealth", "invested", "val", "total", "deposit", "accumul", "maturity", "outstanding", "contribution",
}

// knownNames are the names of the members that a statement is read from.
var knownNames = append([]string{
	"meta", "investor", "summary", "statement_period", "generated_at", "from", "to", "cas_type", "total_value", "accounts",
	"demat_accounts", "mutual_funds", "insurance", "nps", "holdings", "folios", "value", "name", "pan", "isin", "units", "nav",
	"cost", "gain", "absolute", "type", "transactions", "additional_info", "amc", "folio_number", "dp_id", "dp_name", "client_id",
	"bo_id", "pran", "cra", "policy_number", "policy_name", "provider", "sum_assured", "date", "amount", "balance", "tier",
}, rowLists...)

// unknownMember warns of an unknown member that seems to hold value, or that has a
// known name in another case.
func (p *parser) unknownMember(name string, v value) {
	lower := strings.ToLower(name)
	switch {
	case len(p.warnings) > maxFindings || !v.present():
	case lower != name && slices.Contains(knownNames, lower):
		p.warn(v, codeOtherCase, "This name differs from a known one in upper and lower case only; the member was left out.")
	case holdsValue(name, v):
		p.warn(v, codeNotUnderstood, "This member is unknown and seems to hold value; it was left out.")
	}
}

// additionalInfo checks a member of additional_info, whose members vary. A single
// amount there describes a row that states its value; a list or an object may hold
// more value.
func (p *parser) additionalInfo(name string, v value) {
	if v.kind() == '[' || v.kind() == '{' {
		p.unknownMember(name, v)
	}
}

// holdsValue reports whether v contains an amount other than zero: under a name that
// suggests value or, in a list of objects, which may be rows, any number.
func holdsValue(name string, v value) bool {
	switch v.kind() {
	case '{':
		for name, m := range v.members() {
			if holdsValue(string(name), m) {
				return true
			}
		}
	case '[':
		for e := range v.children() {
			if holdsValue(name, e) || hasNumber(e) {
				return true
			}
		}
	case '0':
		return suggestsValue(name) && !isZero(v)
	case '"':
		return suggestsValue(name) && len(v.raw()) <= maxAmountText && amountPattern.MatchString(v.text())
	}
	return false
}

// hasNumber reports whether an object has a member that is a number other than zero.
func hasNumber(v value) bool {
	if v.kind() != '{' {
		return false
	}
	for m := range v.children() {
		if m.kind() == '0' && !isZero(m) {
			return true
		}
	}
	return false
}

// isZero reports whether a number is zero.
func isZero(v value) bool {
	d, ok := parseDecimal(v.raw())
	return ok && d.IsZero()
}

// maxAmountText limits the strings that are searched for amounts, in bytes.
const maxAmountText = 64

// amountPattern matches amounts other than zero as people write them: "1,23,456.00",
// "Rs. 100", "₹ 5 lakh".
var amountPattern = regexp.MustCompile(`^[^0-9]{0,6}[0-9,. ]*[1-9][0-9,. ]*[^0-9]{0,8}$`)

// suggestsValue reports whether name contains one of valueWords.
func suggestsValue(name string) bool {
	name = strings.ToLower(name)
	for _, word := range valueWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
