package statement

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// The longest numbers accepted, without zeros at either end. All the wealth of the
// world in rupees has 17 digits before the decimal point; a double that should be zero
// but differs in its last bits has 33 and more after it.
const (
	maxWhole    = 30
	maxFraction = 60
)

// number is a JSON number: digits × 10^exponent, where digits neither begin nor end
// with a zero. Zero has no digits, no sign and no exponent.
type number struct {
	negative bool
	digits   []byte
	exponent int
}

// parseNumber parses a number that scalarLimit has accepted. It may use buf for the
// digits.
func parseNumber(text, buf []byte) number {
	rest, negative := bytes.CutPrefix(text, []byte("-"))
	exponent := 0
	if e := exponentIndex(rest); e >= 0 {
		exponent, _ = strconv.Atoi(string(rest[e+1:]))
		rest = rest[:e]
	}
	digits := rest
	if point := bytes.IndexByte(rest, '.'); point >= 0 {
		exponent -= len(rest) - point - 1
		digits = append(append(buf, rest[:point]...), rest[point+1:]...)
	}
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		exponent++
	}
	if len(digits) == 0 {
		return number{}
	}
	return number{negative, digits, exponent}
}

// appendPlain appends n with all its digits and no exponent to b.
func (n number) appendPlain(b []byte) []byte {
	if n.negative {
		b = append(b, '-')
	}
	whole := len(n.digits) + n.exponent // digits before the decimal point
	switch {
	case len(n.digits) == 0:
		return append(b, '0')
	case n.exponent >= 0:
		return append(append(b, n.digits...), zeros(n.exponent)...)
	case whole > 0:
		return append(append(append(b, n.digits[:whole]...), '.'), n.digits[whole:]...)
	default:
		return append(append(append(b, "0."...), zeros(-whole)...), n.digits...)
	}
}

// zeros returns n zeros.
func zeros(n int) []byte { return bytes.Repeat([]byte("0"), n) }

// parseDecimal returns the exact value of a number. ok is false if the number is longer
// than maxWhole and maxFraction allow.
func parseDecimal(text []byte) (d decimal.Decimal, ok bool) {
	if d, ok := parseSmall(text); ok {
		return d, true
	}
	n := parseNumber(text, nil)
	if len(n.digits)+n.exponent > maxWhole || -n.exponent > maxFraction {
		return decimal.Decimal{}, false
	}
	if len(n.digits) == 0 {
		return decimal.Decimal{}, true
	}
	digits, _ := new(big.Int).SetString(string(n.digits), 10)
	if n.negative {
		digits.Neg(digits)
	}
	return decimal.NewFromBigInt(digits, int32(n.exponent)), true //nolint:gosec // within the bounds above
}

// maxSmall is the length of the longest number that parseSmall accepts, without its
// sign: 18 digits always fit in an int64.
const maxSmall = 18

// parseSmall is the fast path of parseDecimal: no exponent, fits in int64. Nearly all
// numbers do.
func parseSmall(text []byte) (d decimal.Decimal, ok bool) {
	rest, negative := bytes.CutPrefix(text, []byte("-"))
	if len(rest) > maxSmall {
		return decimal.Decimal{}, false
	}
	var digits int64
	fraction := int32(0)
	for i, c := range rest {
		switch {
		case c == '.':
			fraction = int32(len(rest) - i - 1) //nolint:gosec // 18 at most
		case c > '9': // the e of an exponent
			return decimal.Decimal{}, false
		default:
			digits = 10*digits + int64(c-'0')
		}
	}
	for ; fraction > 0 && digits%10 == 0; fraction-- {
		digits /= 10
	}
	if negative {
		digits = -digits
	}
	return decimal.New(digits, -fraction), true
}

// FormatUnits writes a number of units: all digits, no exponent, no zeros at the end of
// the fraction.
func FormatUnits(d decimal.Decimal) string { return d.String() }

// FormatRupees writes an amount of money like FormatUnits, but with at least two places.
func FormatRupees(d decimal.Decimal) string {
	s := d.String()
	if point := strings.IndexByte(s, '.'); point < 0 || len(s)-point < 3 {
		return d.StringFixed(2)
	}
	return s
}
