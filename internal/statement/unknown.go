package statement

import "strings"

// worthy are words in the names of members that hold value.
var worthy = []string{"value", "unit", "amount", "balance", "quantity", "cost", "nav", "price", "assured", "principal"}

// unknown warns of a member that is not known but holds value.
func (p *parser) unknown(name string, v value) {
	if len(p.warnings) <= maxFindings && holdsValue(name, v) {
		p.warn(v, "not_understood", "seems to hold value, but is not known here, so it was left out")
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
