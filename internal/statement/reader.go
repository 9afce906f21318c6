package statement

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
)

// maxText is the longest string that is kept of a statement, in bytes. Real ones
// have names of a hundred.
const maxText = 1024

// reader reads single values. What is wrong is collected with its place, so that a
// caller hears of all of it at once. Null is taken everywhere as not stated, as is
// a member that is not there.
type reader struct {
	faults   []fault.Field
	warnings []fault.Field
}

// is reports whether v is of this kind. Another one is a fault unless it is null.
func (r *reader) is(v value, kind jsontext.Kind) bool {
	if v.kind() == kind {
		return true
	}
	if v.stated() {
		r.wrong(v, codeWrongType, "This must be %s, not %s.", kindName(kind), kindName(v.kind()))
	}
	return false
}

// plain looks at a value that is not kept, a text or a number. As nothing depends
// on it, either will do.
func (r *reader) plain(v value) {
	if v.stated() && v.kind() != '"' && v.kind() != '0' {
		r.wrong(v, codeWrongType, "This must be a string, not %s.", kindName(v.kind()))
	}
}

// text reads a string.
func (r *reader) text(v value) string {
	if !r.is(v, '"') {
		return ""
	}
	if len(v.raw()) > maxText+2 && len(v.text()) > maxText {
		r.wrong(v, codeTooLong, "This text must have %d bytes at most.", maxText)
		return ""
	}
	return v.text()
}

// amount reads a number that is not negative.
func (r *reader) amount(v value) decimal.NullDecimal {
	d := r.signed(v)
	if d.Valid && d.Decimal.IsNegative() {
		r.wrong(v, codeNegative, "This must not be negative.")
	}
	return d
}

// signed reads a number, which may be written as a string.
func (r *reader) signed(v value) decimal.NullDecimal {
	written, ok := figures(v)
	if !ok {
		if v.kind() == '"' || r.is(v, '0') {
			r.wrong(v, codeWrongType, "This must be a number.")
		}
		return decimal.NullDecimal{}
	}
	if len(written) == 0 {
		return decimal.NullDecimal{}
	}
	d, ok := exact(written)
	if !ok {
		r.wrong(v, codeOutOfRange, "This must have %d digits before the point and %d after it at most.", maxWhole, maxFraction)
	}
	return decimal.NullDecimal{Decimal: d, Valid: ok}
}

// figures returns the number that v is or, as a string, holds; none for a blank
// string and for null. It is false for anything else.
func figures(v value) (written []byte, ok bool) {
	switch v.kind() {
	case '0':
		return v.raw(), true
	case '"':
		text := bytes.Trim([]byte(v.text()), space)
		number := jsontext.Value(text)
		fits := len(text) == 0 || number.Kind() == '0' && number.IsValid() && unfit('0', text, false) == ""
		return text, fits
	default:
		return nil, !v.stated()
	}
}

// layouts are the forms of dates. The American one, with the month first, is none.
var layouts = []string{time.DateOnly, "02-01-2006", "02-Jan-2006"}

// date reads a day, and returns it as YYYY-MM-DD. It is false for a text that is none.
func (r *reader) date(v value) (day string, ok bool) {
	text := strings.Trim(r.text(v), space)
	if text == "" || isDate(text) {
		return text, true
	}
	for _, layout := range layouts {
		if day, err := time.Parse(layout, text); err == nil && day.Year() > 0 {
			return day.Format(time.DateOnly), true
		}
	}
	return "", false
}

// isDate reports quickly whether text surely is a day written as YYYY-MM-DD.
func isDate(text string) bool {
	if len(text) != len(time.DateOnly) || text[4] != '-' || text[7] != '-' {
		return false
	}
	year, month, day := digits(text[:4]), digits(text[5:7]), digits(text[8:])
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= 28 // the rest is left to the calendar
}

// digits is the number that text is, -1 if it is none.
func digits(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return -1
		}
		n = 10*n + int(text[i]-'0')
	}
	return n
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "a truth value"
	}
}
