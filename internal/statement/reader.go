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

// maxText is the length in bytes of the longest string that is stored as a column. Real
// names have about a hundred.
const maxText = 1024

// reader reads single values and collects findings, so a caller learns of all of them
// at once. Null and absent values are read as not stated.
type reader struct {
	faults   []fault.Field
	warnings []fault.Field
	within   part
	rejected *fault.Field // why the row that is read cannot be stored; nil if it can
	residue  bool         // the row has an amount that is below zero by a residue
}

// part is a part of a statement. What a wrong value costs depends on the part.
type part int

const (
	frame       part = iota // what is around the rows: the value is left out
	row                     // the row is rejected
	transaction             // the value is left out of the transaction
)

// expect reports whether v is of this kind. An empty array is an empty object, as PHP
// writes it. Another kind is a fault, or costs the row, unless v is null or absent.
func (r *reader) expect(v value, kind jsontext.Kind) bool {
	if v.is(kind) {
		return true
	}
	if v.present() {
		sentence := "This must be " + kindName(kind) + ", not " + kindName(v.kind()) + "."
		if r.within == frame {
			r.fault(v, codeWrongType, "%s", sentence)
		} else {
			r.wrong(v, codeWrongType, "%s", sentence)
		}
	}
	return false
}

// optional is expect for a part that the statement can be read without.
func (r *reader) optional(v value, kind jsontext.Kind) bool {
	if v.is(kind) {
		return true
	}
	if v.present() {
		r.warn(v, codeWrongType, "This must be %s, not %s; it was left out.", kindName(kind), kindName(v.kind()))
	}
	return false
}

// is reports whether v is of this kind.
func (v value) is(kind jsontext.Kind) bool {
	return v.kind() == kind || kind == '{' && v.kind() == '[' && v.node().end == v.at+1
}

// wrong records that a value cannot be used: it is left out or costs its row. The sentence
// ends with a period.
func (r *reader) wrong(v value, code, format string, args ...any) {
	switch {
	case r.within != row:
		r.warn(v, code, "%s; it was left out.", strings.TrimSuffix(fmt.Sprintf(format, args...), "."))
	case r.rejected == nil:
		f := newFinding(v, code, format, args...)
		r.rejected = &f
	}
}

// ignored checks a string that is not stored. A number will do, because nothing depends
// on it.
func (r *reader) ignored(v value) {
	if v.kind() != '0' {
		r.optional(v, '"')
	}
}

// text reads a string.
func (r *reader) text(v value) string {
	if v.kind() != '"' {
		if v.present() {
			r.wrong(v, codeWrongType, "This must be a string, not %s.", kindName(v.kind()))
		}
		return ""
	}
	text := v.text()
	if len(text) > maxText {
		r.wrong(v, codeTooLong, "This text must have at most %d bytes.", maxText)
		return ""
	}
	return text
}

// number reads the number of an account. Some encoders write it as a JSON number.
func (r *reader) number(v value) string {
	if v.kind() == '0' && len(v.raw()) <= maxDigits && parseDigits(string(v.raw())) >= 0 {
		return string(v.raw())
	}
	return r.text(v)
}

// maxDigits is the length of the longest account number that number reads from a JSON
// number.
const maxDigits = 18

// How far below zero amounts may be. Statements that round to three places show residues
// of units that were redeemed.
var (
	unitResidue  = decimal.New(-1, -2)
	rupeeResidue = decimal.New(-1, 0)
)

// units reads a number of units.
func (r *reader) units(v value) decimal.NullDecimal { return r.least(v, unitResidue) }

// rupees reads the value or cost of a row, or a total.
func (r *reader) rupees(v value) decimal.NullDecimal { return r.least(v, rupeeResidue) }

// amount reads a number that must not be negative.
func (r *reader) amount(v value) decimal.NullDecimal { return r.least(v, decimal.Zero) }

// least reads a number that must not be less than the residue.
func (r *reader) least(v value, residue decimal.Decimal) decimal.NullDecimal {
	d := r.signedAmount(v)
	if !d.Valid || !d.Decimal.IsNegative() {
		return d
	}
	if d.Decimal.LessThan(residue) {
		r.wrong(v, codeNegative, "This must not be negative.")
		return decimal.NullDecimal{}
	}
	r.residue = true
	return d
}

// signedAmount reads a number, which may be written as a string.
func (r *reader) signedAmount(v value) decimal.NullDecimal {
	text, ok := numberText(v)
	if !ok {
		r.wrong(v, codeWrongType, "This must be a number.")
		return decimal.NullDecimal{}
	}
	if len(text) == 0 {
		return decimal.NullDecimal{}
	}
	d, ok := parseDecimal(text)
	if !ok {
		r.wrong(v, codeOutOfRange, "This must have at most %d digits before the decimal point and %d after it.", maxWhole, maxFraction)
	}
	return decimal.NullDecimal{Decimal: d, Valid: ok}
}

// numberText returns the JSON number that v is or, as a string, contains. It is empty
// for null, an absent value and a string that says so; ok is false for anything else.
func numberText(v value) (text []byte, ok bool) {
	switch v.kind() {
	case '0':
		return v.raw(), true
	case '"':
		text := bytes.Trim([]byte(v.text()), space)
		if number := jsontext.Value(text); number.Kind() == '0' && number.IsValid() {
			return text, scalarLimit('0', text, false) == noLimit
		}
		return writtenAmount(string(text))
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
