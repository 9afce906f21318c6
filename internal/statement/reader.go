package statement

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
)

const (
	// maxText is the longest string that is kept of a statement, in bytes. Real
	// ones have names of a hundred.
	maxText = 1024
	// maxFindings is how much is told of what is wrong, and of what is odd.
	maxFindings = 200
)

// reader reads single values. What is wrong is collected with its place, so that a
// caller hears of all of it at once. Null is taken everywhere as not stated, as is
// a member that is not there.
type reader struct {
	faults   []fault.Field
	warnings []fault.Field
}

// wrong notes why the statement cannot be taken.
func (r *reader) wrong(v value, code, format string, args ...any) {
	if len(r.faults) < maxFindings {
		r.faults = append(r.faults, finding(v, code, format, args...))
	}
}

// warn notes what is odd about a value that was taken nevertheless.
func (r *reader) warn(v value, code, format string, args ...any) {
	switch n := len(r.warnings); {
	case n < maxFindings:
		r.warnings = append(r.warnings, finding(v, code, format, args...))
	case n == maxFindings:
		r.warnings = append(r.warnings, fault.Field{Code: "more_warnings", Detail: "there are more than can be listed"})
	}
}

func finding(v value, code, format string, args ...any) fault.Field {
	f := fault.Field{Code: code, Detail: fmt.Sprintf(format, args...)}
	if v.kind() != 0 {
		f.Pointer = v.pointer()
	}
	return f
}

// is reports whether v is of this kind. Another one is a fault unless it is null.
func (r *reader) is(v value, kind jsontext.Kind) bool {
	if v.kind() == kind {
		return true
	}
	if v.stated() {
		r.wrong(v, "wrong_type", "must be %s, not %s", kindName(kind), kindName(v.kind()))
	}
	return false
}

// text reads a string.
func (r *reader) text(v value) string {
	if !r.is(v, '"') {
		return ""
	}
	if len(v.raw()) > maxText+2 && len(v.text()) > maxText {
		r.wrong(v, "too_long", "must have %d bytes at most", maxText)
		return ""
	}
	return v.text()
}

// amount reads a number that is not negative.
func (r *reader) amount(v value) decimal.NullDecimal {
	d := r.signed(v)
	if d.Valid && d.Decimal.IsNegative() {
		r.wrong(v, "negative", "must not be negative")
	}
	return d
}

// signed reads a number, which may be written as a string.
func (r *reader) signed(v value) decimal.NullDecimal {
	written, ok := figures(v)
	if !ok {
		if r.is(v, '0') || v.kind() == '"' {
			r.wrong(v, "wrong_type", "must be a number")
		}
		return decimal.NullDecimal{}
	}
	if len(written) == 0 {
		return decimal.NullDecimal{}
	}
	d, ok := exact(written)
	if !ok {
		r.wrong(v, "out_of_range", "must have %d digits before the point and %d after it at most", maxWhole, maxFraction)
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

// date reads a day, and returns it as YYYY-MM-DD.
func (r *reader) date(v value) string {
	text := strings.Trim(r.text(v), space)
	if text == "" {
		return ""
	}
	if isDate(text) {
		return text
	}
	for _, layout := range layouts {
		if day, err := time.Parse(layout, text); err == nil && day.Year() > 0 {
			return day.Format(time.DateOnly)
		}
	}
	r.wrong(v, "invalid_date", "must be a date such as 2026-03-31")
	return ""
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
