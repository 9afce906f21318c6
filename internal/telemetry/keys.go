package telemetry

import "strings"

// hiddenEndings has, by its last letter, each ending that marks a key as that of
// a credential, whatever stands before it. Keys are folded: lower case, without
// "_", "-", "." and " ".
var hiddenEndings = [256][]string{
	'd': {"password", "passwd"},
	'e': {"cookie", "passphrase"},
	'n': {"token", "authorization"},
	't': {"secret", "jwt"},
	'y': {"apikey", "privatekey"},
}

// hiddenWord reports whether a folded key is that of a credential or of personal
// data by itself alone: "pan" is, "span" is not.
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

// foldedMax is longer than every word and ending above.
const foldedMax = 16

// hiddenKey reports whether the value under key may never be shown. It allocates nothing.
func hiddenKey(key string) bool {
	var buf [foldedMax]byte
	at, i := len(buf), len(key)
	for ; i > 0 && at > 0; i-- {
		c := key[i-1]
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		at--
		buf[at] = c
	}
	if at == len(buf) {
		return false
	}
	if i == 0 && hiddenWord(string(buf[at:])) {
		return true
	}
	for _, ending := range hiddenEndings[buf[len(buf)-1]] {
		if strings.HasSuffix(string(buf[at:]), ending) {
			return true
		}
	}
	return false
}
