package statement

import (
	"regexp"
	"strings"
)

// valueWords are parts of the names of members that hold value.
var valueWords = []string{
	"value", "unit", "amount", "balance", "quantity", "qty", "shares", "cost", "nav", "price", "assured", "insured",
	"principal", "corpus", "worth", "wealth", "invested", "val", "total", "deposit", "accumul", "maturity", "outstanding", "contribution",
}

// knownNames maps the names of the members that a statement is read from, without what
// separates their words, to the names.
var knownNames = byLetters(append([]string{
	"meta", "investor", "summary", "statement_period", "generated_at", "from", "to", "cas_type", "total_value", "accounts",
	"demat_accounts", "mutual_funds", "insurance", "nps", "holdings", "folios", "value", "name", "pan", "isin", "units", "nav",
	"cost", "gain", "absolute", "type", "transactions", "additional_info", "amc", "folio_number", "dp_id", "dp_name", "client_id",
	"bo_id", "pran", "cra", "policy_number", "policy_name", "provider", "sum_assured", "date", "amount", "balance", "tier",
	"linked_holders", "open_units", "close_units", "cas_id", "raw_response", "demat_type", "premium_amount",
}, rowLists...)...)

func byLetters(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, name := range names {
		m[letters(name)] = name
	}
	return m
}

// unknownMember warns of an unknown member that seems to hold value, or that has a
// known name in another spelling.
func (p *parser) unknownMember(name string, v value) {
	lower := strings.ToLower(name)
	switch known := knownNames[letters(lower)]; {
	case len(p.warnings) > maxFindings || !v.present():
	case known == name: // known elsewhere
		p.warnOfValue(name, v)
	case known == lower:
		p.warn(v, codeOtherCase, "This name differs from a known one in upper and lower case only; the member was left out.")
	case known != "":
		p.warn(v, codeOtherName, "This name is another spelling of %s; the member was left out.", known)
	default:
		p.warnOfValue(name, v)
	}
}

// warnOfValue warns of an unknown member that seems to hold value.
func (p *parser) warnOfValue(name string, v value) {
	if holdsValue(name, v) {
		p.warn(v, codeNotUnderstood, "This member is unknown and seems to hold value; it was left out.")
	}
}

// letters returns name without what separates its words.
func letters(name string) string { return wordSeparators.Replace(name) }

var wordSeparators = strings.NewReplacer("_", "", "-", "", " ", "")

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
