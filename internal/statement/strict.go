package statement

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// space is what may stand around a JSON text (RFC 8259, section 2).
const space = " \t\r\n"

// maxExponent is that of the largest finite double (RFC 7493, section 2.2).
const maxExponent = 308

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

const noNUL = "the character U+0000 is not taken"

var errJSON = fault.New(fault.Invalid, "invalid_json", "The body is not valid JSON.")

// unfit says why a string or a number that is valid JSON is not taken, or "".
// Where nothing has escapes they are not looked for.
func unfit(kind jsontext.Kind, raw []byte, escapes bool) string {
	switch kind {
	case '"':
		if len(raw) > maxString {
			return "a string has more than 65536 bytes"
		}
		if escapes && hasNUL(raw) {
			return noNUL
		}
	case '0':
		if len(raw) > maxNumber {
			return "a number has more than 400 characters"
		}
		return unfitNumber(raw)
	}
	return ""
}

// unfitNumber is unfit for a number. To look at one exactly is slow, so that it is
// done for those alone that may be too large.
func unfitNumber(raw []byte) string {
	mantissa, power := raw, 0
	if e := exponentAt(raw); e >= 0 {
		n, err := strconv.Atoi(string(raw[e+1:]))
		if err != nil || n > maxExponent || n < -maxExponent {
			return "a number has an exponent past 308"
		}
		mantissa, power = raw[:e], n
	}
	whole, _, _ := bytes.Cut(mantissa, []byte("."))
	if len(whole)+power <= maxExponent {
		return ""
	}
	if f, _ := strconv.ParseFloat(string(raw), 64); math.IsInf(f, 0) {
		return "a number is past the largest double"
	}
	return ""
}

// exponentAt is where the e of a number is, -1 if it has none.
func exponentAt(number []byte) int {
	for i, c := range number {
		if c|0x20 == 'e' {
			return i
		}
	}
	return -1
}

// hasNUL reports whether a quoted string holds an escaped U+0000.
func hasNUL(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(raw[i:], []byte(`\u0000`)) {
			return true
		}
		raw = raw[i+2:] // past what is escaped, which may be a backslash
	}
}

func syntax(text []byte, err error) error {
	offset := len(text)
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		offset = int(at.ByteOffset)
	}
	switch {
	case offset == 0 && bytes.HasPrefix(text, []byte(byteOrderMark)):
		return wrong(text, 0, "it begins with a byte order mark, which JSON must not (RFC 8259, section 8.1)")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return wrong(text, offset, "it ends too early")
	default:
		return wrong(text, offset, "a character that cannot stand there, or text that is not UTF-8")
	}
}

// wrong says what is wrong where; the byte is counted from 0 at the text's start.
func wrong(text []byte, offset int, what string) error {
	offset = min(max(offset, 0), len(text))
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	return errJSON.Withf("The body is not valid JSON: line %d, byte %d: %s.", line, offset, what)
}
