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

// space is the white space that may be around a JSON value (RFC 8259, section 2).
const space = " \t\r\n"

// maxExponent is the exponent of the largest finite double (RFC 7493, section 2.2).
const maxExponent = 308

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// nulProblem is the problem of a string or name with U+0000.
const nulProblem = "the character U+0000 is not allowed"

var errJSON = fault.New(fault.Invalid, "invalid_json", "The body is not valid JSON.")

// scalarProblem returns why a valid JSON string or number is not accepted, "" if it is.
// escapes is false if the text has no escapes at all, so none need to be searched for.
func scalarProblem(kind jsontext.Kind, raw []byte, escapes bool) string {
	switch kind {
	case '"':
		if len(raw) > maxString {
			return "a string has more than 65536 bytes"
		}
		if escapes && hasNUL(raw) {
			return nulProblem
		}
	case '0':
		if len(raw) > maxNumber {
			return "a number has more than 400 characters"
		}
		return rangeProblem(raw)
	}
	return ""
}

// rangeProblem is scalarProblem for the size of a number. It parses only numbers that
// may be too large, because parsing is slow.
func rangeProblem(raw []byte) string {
	mantissa, exponent := raw, 0
	if e := exponentIndex(raw); e >= 0 {
		n, err := strconv.Atoi(string(raw[e+1:]))
		if err != nil || n > maxExponent || n < -maxExponent {
			return "a number has an exponent above 308 or below -308"
		}
		mantissa, exponent = raw[:e], n
	}
	whole, _, _ := bytes.Cut(mantissa, []byte("."))
	if len(whole)+exponent <= maxExponent {
		return ""
	}
	if f, _ := strconv.ParseFloat(string(raw), 64); math.IsInf(f, 0) {
		return "a number exceeds the largest double"
	}
	return ""
}

// exponentIndex returns the index of the e in a number, -1 if there is none.
func exponentIndex(number []byte) int {
	for i, c := range number {
		if c|0x20 == 'e' {
			return i
		}
	}
	return -1
}

// hasNUL reports whether a quoted string contains U+0000, which JSON always escapes.
func hasNUL(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(raw[i:], []byte(`\u0000`)) {
			return true
		}
		raw = raw[i+2:] // skips the escaped character, which may be a backslash
	}
}

// syntaxError returns errJSON for an error of the JSON decoder.
func syntaxError(text []byte, err error) error {
	offset := len(text)
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		offset = int(syntactic.ByteOffset)
	}
	switch {
	case offset == 0 && bytes.HasPrefix(text, []byte(byteOrderMark)):
		return jsonError(text, 0, "a byte order mark, which JSON does not allow (RFC 8259, section 8.1)")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return jsonError(text, offset, "the text ends too early")
	default:
		return jsonError(text, offset, "an unexpected character, or text that is not UTF-8")
	}
}

// jsonError returns errJSON with a problem and its place: the line from 1 and the byte
// from 0, both from the start of the text. It quotes nothing of the text.
func jsonError(text []byte, offset int, problem string) error {
	offset = min(max(offset, 0), len(text))
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	return errJSON.Withf("The body is not valid JSON: line %d, byte %d: %s.", line, offset, problem)
}
