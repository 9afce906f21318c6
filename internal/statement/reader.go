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

// The most that is kept of one statement. Real ones have names of a hundred bytes.
const (
	maxText     = 1024 // bytes of a string
	maxPointer  = 256  // bytes of a place
	maxFindings = 200  // of each kind
)

// reader goes through a JSON text once, value after value. What is wrong is
// collected with its place, so that a caller hears of all of it at once. Each
// method that reads takes exactly one value, whatever that is; null is taken
// everywhere as not stated.
type reader struct {
	dec    *jsontext.Decoder
	at     string // where in the body the value is
	err    error  // of the decoder, which ends everything
	faults []fault.Field
}

func newReader(value jsontext.Value, at string) reader {
	return reader{dec: jsontext.NewDecoder(bytes.NewBuffer(value), trusted), at: at}
}

// pointer names the value that was read last.
func (r *reader) pointer() string {
	at := r.at + string(r.dec.StackPointer())
	if len(at) > maxPointer {
		at = strings.Clone(strings.ToValidUTF8(at[:maxPointer], "")) // the rest is not to live on with it
	}
	return at
}

// here is a finding about the value that was read last.
func (r *reader) here(code, format string, args ...any) fault.Field {
	return fault.Field{Pointer: r.pointer(), Code: code, Detail: fmt.Sprintf(format, args...)}
}

func (r *reader) wrong(f fault.Field) { r.faults = append(r.faults, f) }

// over reports whether there is no use in reading on: the decoder cannot, or so
// much is wrong that nothing new is to be learnt from more.
func (r *reader) over() bool { return r.err != nil || len(r.faults) >= maxFindings }

func (r *reader) token() jsontext.Token {
	t, err := r.dec.ReadToken()
	if err != nil {
		r.err = err
	}
	return t
}

func (r *reader) skip() {
	if err := r.dec.SkipValue(); err != nil {
		r.err = err
	}
}

// expect reports whether the next value is of this kind. Another one is skipped,
// and a fault unless it is null.
func (r *reader) expect(kind jsontext.Kind) bool {
	got := r.dec.PeekKind()
	if got == kind {
		return true
	}
	r.skip()
	if got != 'n' && r.err == nil {
		r.wrong(wrongType(r.pointer(), kindName(kind), got))
	}
	return false
}

// object reads an object and calls member for each name; member reads the value.
// It reports whether there was an object.
func (r *reader) object(member func(name string)) bool {
	if !r.expect('{') {
		return false
	}
	r.token()
	for !r.over() && r.dec.PeekKind() == '"' {
		name := r.token().String()
		member(name)
	}
	r.token()
	return true
}

// array reads an array and calls element to read each value. It reports whether
// there was an array.
func (r *reader) array(element func()) bool {
	if !r.expect('[') {
		return false
	}
	r.token()
	for !r.over() && r.dec.PeekKind() != ']' {
		element()
	}
	r.token()
	return true
}

// text reads a string.
func (r *reader) text() string {
	if !r.expect('"') {
		return ""
	}
	s := r.token().String()
	if len(s) > maxText {
		r.wrong(r.here("too_long", "must have %d bytes at most", maxText))
		return ""
	}
	return s
}

// amount reads a number that is not negative.
func (r *reader) amount() decimal.NullDecimal {
	d := r.signed()
	if d.Valid && d.Decimal.IsNegative() {
		r.wrong(r.here("negative", "must not be negative"))
	}
	return d
}

// signed reads a number, which may be written as a string.
func (r *reader) signed() decimal.NullDecimal {
	var text string
	if r.dec.PeekKind() == '"' {
		text = strings.Trim(r.token().String(), space)
		if text == "" {
			return decimal.NullDecimal{}
		}
		if v := jsontext.Value(text); v.Kind() != '0' || !v.IsValid() {
			r.wrong(r.here("wrong_type", "must be a number"))
			return decimal.NullDecimal{}
		}
	} else {
		if !r.expect('0') {
			return decimal.NullDecimal{}
		}
		v, err := r.dec.ReadValue()
		if err != nil {
			r.err = err
		}
		text = string(v)
	}
	d, ok := exact(text)
	if !ok {
		r.wrong(r.here("out_of_range", "must have %d digits before the point and %d after it at most", maxWhole, maxFraction))
	}
	return decimal.NullDecimal{Decimal: d, Valid: ok}
}

// date reads a day, and returns it as YYYY-MM-DD.
func (r *reader) date() string {
	text := r.text()
	if text == "" {
		return ""
	}
	for _, layout := range []string{time.DateOnly, "02-01-2006", "02-Jan-2006"} {
		if day, err := time.Parse(layout, text); err == nil {
			return day.Format(time.DateOnly)
		}
	}
	r.wrong(r.here("invalid_date", "must be a date such as 2026-03-31"))
	return ""
}
