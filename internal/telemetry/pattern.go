package telemetry

import "strings"

// pattern returns how many bytes at the start of in must be hidden, and the placeholder
// for them; 0 if none must. in begins at the start of a word.
func pattern(in string) (int, string) {
	if n := jwt(in); n > 0 {
		return n, placeholderJWT
	}
	if n := credential(in, "at_", isTokenByte); n > 0 {
		return n, placeholderToken
	}
	if n := credential(in, "cbk_", isBase64URL); n > 0 {
		return n, placeholderKey
	}
	if n := credential(in, "cbs_", isBase64URL); n > 0 {
		return n, placeholderService
	}
	if n := max(credential(in, "cbl_", isBase64URL), credential(in, "cbls_", isBase64URL)); n > 0 {
		return n, placeholderLink
	}
	const shortest, longest = 10, 16
	n := 0
	for n < len(in) && isAlnum(in[n]) {
		if n++; n > longest {
			return 0, ""
		}
	}
	word := in[:n]
	switch {
	case n < shortest:
		return 0, ""
	case isPAN(word):
		return n, placeholderPAN
	case isAccount(word):
		return n, placeholderNumber
	default:
		return 0, ""
	}
}

// jwt returns the length of the JWT at the start of in, 0 if there is none: base64url that
// begins like a JSON object, with all its dotted parts. Truncated tokens count too.
func jwt(in string) int {
	const prefix, minLength = "eyJ", 8
	if !strings.HasPrefix(in, prefix) {
		return 0
	}
	n := len(prefix)
	for n < len(in) && isBase64URL(in[n]) {
		n++
	}
	if n < len(prefix)+minLength {
		return 0
	}
	for n < len(in) && (isBase64URL(in[n]) || in[n] == '.') {
		n++
	}
	return n
}

// credential returns the length of the credential at the start of in, 0 if there is none:
// prefix, followed by at least 8 bytes that valid accepts. Words such as "at_ms" are too short.
func credential(in, prefix string, valid func(byte) bool) int {
	const minLength = 8
	if !strings.HasPrefix(in, prefix) {
		return 0
	}
	n := len(prefix)
	for n < len(in) && valid(in[n]) {
		n++
	}
	if n < len(prefix)+minLength {
		return 0
	}
	return n
}

// isPAN reports whether word has the form of an Indian tax number, ABCDE1234F, in any case.
func isPAN(word string) bool {
	if len(word) != 10 || !isLetter(word[9]) {
		return false
	}
	for i := range 5 {
		if !isLetter(word[i]) {
			return false
		}
	}
	return allDigits(word[5:9])
}

// isAccount reports whether word, of 10 to 16 bytes, looks like the number of a
// folio, demat account, pension account, phone or identity card. Digits that
// may be a time (Unix seconds or milliseconds, yyyymmddhhmmss) do not: logs are full of
// those.
func isAccount(word string) bool {
	if len(word) == 16 && (word[:2] == "IN" || word[:2] == "in") {
		return allDigits(word[2:]) // NSDL: IN, 6 digits of the participant, 8 of the client
	}
	if !allDigits(word) {
		return false
	}
	switch len(word) {
	case 10, 13:
		return word[0] != '1'
	case 14:
		return word[:2] != "20"
	default:
		return true
	}
}

// nameBefore returns the index of the private part before the "@" at index at, not before
// start; it returns at if there is none. The user and password in a URL and the name in an
// e-mail address are private; a module version (echo@v4.16.0) is not.
func nameBefore(in string, start, at int) int {
	from := at
	for from > start && isUserinfo(in[from-1]) {
		from--
	}
	if strings.HasSuffix(in[start:from], "://") {
		return from
	}
	if !isDomain(in[at+1:]) {
		return at
	}
	from = at
	for from > start && isMailName(in[from-1]) {
		from--
	}
	return from
}

// isDomain reports whether in begins with a domain name that ends in letters.
func isDomain(in string) bool {
	n := 0
	for n < len(in) && (isAlnum(in[n]) || in[n] == '.' || in[n] == '-') {
		n++
	}
	name := strings.TrimRight(in[:n], ".-")
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 || len(name)-dot < 3 {
		return false
	}
	for i := dot + 1; i < len(name); i++ {
		if !isLetter(name[i]) {
			return false
		}
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 }
func isAlnum(c byte) bool  { return isLetter(c) || isDigit(c) }

func isBase64URL(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }
func isMailName(c byte) bool  { return isAlnum(c) || strings.IndexByte("._%+-", c) >= 0 }

func isTokenByte(c byte) bool {
	return isAlnum(c) || c > ' ' && c < 0x7f && strings.IndexByte("\"'`\\,;&<>()[]{}", c) < 0
}

func isUserinfo(c byte) bool {
	return isAlnum(c) || c > ' ' && strings.IndexByte("\"'`<>/@", c) < 0
}
