package telemetry

import "strings"

// hiddenEndings are the endings of keys whose values are credentials, by last letter. Keys
// are folded: lower case, without "_", "-", "." and " ".
var hiddenEndings = [256][]string{
	'd': {"password", "passwd"},
	'e': {"cookie", "passphrase"},
	'n': {"token", "authorization"},
	't': {"secret", "jwt"},
	'y': {"apikey", "privatekey"},
}

// hiddenWord reports whether the folded key as a whole names a credential or personal
// data: "pan" does, "span" does not.
func hiddenWord(folded string) bool {
	switch folded {
	case "pwd", "otp", "dsn", "pan", "panno", "pannumber", "investorpan", "holderpan",
		"dob", "dateofbirth", "email", "mobile", "phone",
		"folio", "foliono", "folionumber", "boid", "pran", "policynumber":
		return true
	default:
		return false
	}
}

// foldedMax is greater than the length of every word and ending above.
const foldedMax = 16

// hiddenKey reports whether values under key must be hidden. It does not allocate.
func hiddenKey(key string) bool {
	var buf [foldedMax]byte
	start, i := len(buf), len(key)
	for ; i > 0 && start > 0; i-- {
		c := key[i-1]
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		start--
		buf[start] = c
	}
	if start == len(buf) {
		return false
	}
	if i == 0 && hiddenWord(string(buf[start:])) {
		return true
	}
	for _, ending := range hiddenEndings[buf[len(buf)-1]] {
		if strings.HasSuffix(string(buf[start:]), ending) {
			return true
		}
	}
	return false
}
