package statement

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// space is the white space that may be around a JSON value (RFC 8259, section 2).
const space = " \t\r\n"

// maxExponent is the exponent of the largest finite double (RFC 7493, section 2.2).
const maxExponent = 308

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

var (
	errJSON  = fault.New(fault.Invalid, "invalid_json", "The body is not valid JSON.")
	errLimit = fault.New(fault.Invalid, "payload_limit", "The body exceeds a limit.")
)

// limit is a limit of a JSON text that a value or a name exceeds.
type limit struct {
	code     string // part of the API
	sentence string
}

// The limits, with the constants above in words.
var (
	noLimit       limit
	limitDepth    = limit{"too_deep", "Arrays and objects may be nested at most 64 deep."}
	limitName     = limit{"name_too_long", "A name may have at most 1024 bytes."}
	limitString   = limit{"string_too_long", "A string may have at most 65536 bytes."}
	limitNumber   = limit{"number_too_long", "A number may have at most 400 characters."}
	limitExponent = limit{"number_out_of_range", "A number may have an exponent from -308 to 308."}
	limitDouble   = limit{"number_out_of_range", "A number must not exceed the largest double, which is about 1.8e308."}
	limitMembers  = limit{"too_many_members", "An object may have at most 10000 members."}
	limitValues   = limit{"too_many_values", "A body may have at most 1000000 values."}
	limitNUL      = limit{"nul_character", "The character U+0000 is not allowed."}
)

// at returns errLimit for the value or name at pointer.
func (l limit) at(pointer string) error {
	return errLimit.Withf("The body is valid JSON so far, but exceeds a limit: %s", l.sentence).
		At(fault.Field{Pointer: pointer, Code: l.code, Detail: l.sentence})
}

// scalarLimit returns the limit that a valid JSON string or number exceeds, or noLimit.
// escapes is false if the text has no escapes at all, so none need to be searched for.
func scalarLimit(kind jsontext.Kind, raw []byte, escapes bool) limit {
	switch kind {
	case '"':
		if len(raw) > maxString {
			return limitString
		}
		if escapes && hasNUL(raw) {
			return limitNUL
		}
	case '0':
		if len(raw) > maxNumber {
			return limitNumber
		}
		return rangeLimit(raw)
	}
	return noLimit
}

// rangeLimit is scalarLimit for the size of a number. It parses only numbers that may be
// too large, because parsing is slow.
func rangeLimit(raw []byte) limit {
	mantissa, exponent := raw, 0
	if e := exponentIndex(raw); e >= 0 {
		n, err := strconv.Atoi(string(raw[e+1:]))
		if err != nil || n > maxExponent || n < -maxExponent {
			return limitExponent
		}
		mantissa, exponent = raw[:e], n
	}
	whole, _, _ := bytes.Cut(mantissa, []byte("."))
	if len(whole)+exponent <= maxExponent {
		return noLimit
	}
	if f, _ := strconv.ParseFloat(string(raw), 64); math.IsInf(f, 0) {
		return limitDouble
	}
	return noLimit
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
func (b *builder) syntaxError(err error) error {
	text, offset := b.doc.text, len(b.doc.text)
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		offset = int(syntactic.ByteOffset)
	}
	switch {
	case offset == 0 && bytes.HasPrefix(text, []byte(byteOrderMark)):
		return jsonError(text, 0, "there is a byte order mark, which JSON does not allow (RFC 8259, section 8.1)")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return jsonError(text, len(text), "the text ends too early")
	default:
		parent, index := b.dec.StackIndex(b.dec.StackDepth())
		return jsonError(text, offset, expectation(err.Error(), parent == '{' && index%2 == 0))
	}
}

// expectations maps parts of the decoder's messages to what it expected.
var expectations = []struct{ part, sentence string }{
	{"expecting ':'", "expected a colon after a name"},
	{"expecting ',' or '}'", "expected a comma or } after a member"},
	{"expecting ',' or ']'", "expected a comma or ] after an element"},
	{"non-control character", "expected an escape such as \\n for a control character in a string"},
	{"in number", "expected a digit"},
	{"in literal null", "expected null"},
	{"in literal true", "expected true"},
	{"in literal false", "expected false"},
	{"surrogate pair", "expected the other half of a surrogate pair; the text is not valid UTF-8"},
	{"escape sequence", "expected an escape that JSON has, such as \\\" or \\u20b9"},
	{"UTF-8", "expected text in UTF-8"},
}

// expectation returns what the decoder expected. Its message itself is not used, because
// it quotes the text. beforeName is set if the name of a member, or the end of the object,
// comes next.
func expectation(message string, beforeName bool) string {
	for _, e := range expectations {
		if strings.Contains(message, e.part) {
			return e.sentence
		}
	}
	if beforeName {
		return "expected a name in double quotes"
	}
	return "expected a value"
}

// jsonError returns errJSON with a problem and its place: the line, and the character in
// it, both from 1. It quotes nothing of the text.
func jsonError(text []byte, offset int, problem string) error {
	before := text[:min(max(offset, 0), len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return errJSON.Withf("The body is not valid JSON: line %d, column %d: %s.", line, column, problem)
}
