package statement

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
)

// maxText is the length in bytes of the longest string that is stored as a column. Real
// names have about a hundred.
const maxText = 1024

// reader reads single values and collects findings, so a caller learns of all of them
// at once. Null and absent values are read as not stated.
type reader struct {
	faults   []fault.Field
	warnings []fault.Field
}

// expect reports whether v is of this kind. Another kind is a fault unless v is null or
// absent.
func (r *reader) expect(v value, kind jsontext.Kind) bool {
	if v.kind() == kind {
		return true
	}
	if v.present() {
		r.fault(v, codeWrongType, "This must be %s, not %s.", kindName(kind), kindName(v.kind()))
	}
	return false
}

// ignoredText checks a string that is not stored. A number will do, because nothing
// depends on it.
func (r *reader) ignoredText(v value) {
	if v.present() && v.kind() != '"' && v.kind() != '0' {
		r.fault(v, codeWrongType, "This must be a string, not %s.", kindName(v.kind()))
	}
}

// text reads a string.
func (r *reader) text(v value) string {
	if !r.expect(v, '"') {
		return ""
	}
	if len(v.raw()) > maxText+2 && len(v.text()) > maxText {
		r.fault(v, codeTooLong, "This text must have at most %d bytes.", maxText)
		return ""
	}
	return v.text()
}

// amount reads a number that must not be negative.
func (r *reader) amount(v value) decimal.NullDecimal {
	d := r.signedAmount(v)
	if d.Valid && d.Decimal.IsNegative() {
		r.fault(v, codeNegative, "This must not be negative.")
	}
	return d
}

// signedAmount reads a number, which may be written as a string.
func (r *reader) signedAmount(v value) decimal.NullDecimal {
	text, ok := numberText(v)
	if !ok {
		if v.kind() == '"' || r.expect(v, '0') {
			r.fault(v, codeWrongType, "This must be a number.")
		}
		return decimal.NullDecimal{}
	}
	if len(text) == 0 {
		return decimal.NullDecimal{}
	}
	d, ok := parseDecimal(text)
	if !ok {
		r.fault(v, codeOutOfRange, "This must have at most %d digits before the decimal point and %d after it.", maxWhole, maxFraction)
	}
	return decimal.NullDecimal{Decimal: d, Valid: ok}
}

// numberText returns the JSON number that v is or, as a string, contains. It is empty
// for null, an absent value and a blank string; ok is false for anything else.
func numberText(v value) (text []byte, ok bool) {
	switch v.kind() {
	case '0':
		return v.raw(), true
	case '"':
		text := bytes.Trim([]byte(v.text()), space)
		number := jsontext.Value(text)
		return text, len(text) == 0 || number.Kind() == '0' && number.IsValid() && scalarLimit('0', text, false) == noLimit
	default:
		return nil, !v.present()
	}
}

// dateFormats are the accepted formats of dates. The American one, with the month
// first, is not accepted.
var dateFormats = []string{time.DateOnly, "02-01-2006", "02-Jan-2006"}

// date reads a date and returns it as YYYY-MM-DD, "" if not stated. ok is false for
// other text.
func (r *reader) date(v value) (day string, ok bool) {
	text := strings.Trim(r.text(v), space)
	if text == "" || isSimpleDate(text) {
		return text, true
	}
	for _, format := range dateFormats {
		if day, err := time.Parse(format, text); err == nil && day.Year() > 0 {
			return day.Format(time.DateOnly), true
		}
	}
	return "", false
}

// isSimpleDate is the fast path of date: YYYY-MM-DD with a day up to the 28th, which
// every month has.
func isSimpleDate(text string) bool {
	if len(text) != len(time.DateOnly) || text[4] != '-' || text[7] != '-' {
		return false
	}
	year, month, day := parseDigits(text[:4]), parseDigits(text[5:7]), parseDigits(text[8:])
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= 28
}

// parseDigits returns the number that text is, -1 if it has anything but digits.
func parseDigits(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return -1
		}
		n = 10*n + int(text[i]-'0')
	}
	return n
}

// kindName returns the name of a kind of JSON value, with its article.
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
		return "a boolean"
	}
}
