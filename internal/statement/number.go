package statement

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// The longest numbers taken, after zeros at both ends were dropped. All the wealth
// of the world in rupees has 17 digits before the point; a double that should be
// zero but for its last bits has 33 and more after it.
const (
	maxWhole    = 30
	maxFraction = 60
)

// number is a JSON number taken apart: digits × 10^exponent, where digits neither
// begin nor end with a zero. Zero has no digits, no sign and no exponent.
type number struct {
	negative bool
	digits   []byte
	exponent int
}

// dissect takes apart a number that document has passed. It may use room for the digits.
func dissect(written, room []byte) number {
	rest, negative := bytes.CutPrefix(written, []byte("-"))
	power := 0
	if e := exponentAt(rest); e >= 0 {
		power, _ = strconv.Atoi(string(rest[e+1:]))
		rest = rest[:e]
	}
	digits := rest
	if point := bytes.IndexByte(rest, '.'); point >= 0 {
		power -= len(rest) - point - 1
		digits = append(append(room, rest[:point]...), rest[point+1:]...)
	}
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		power++
	}
	if len(digits) == 0 {
		return number{}
	}
	return number{negative, digits, power}
}

// appendPlain writes n with all of its digits and no exponent.
func (n number) appendPlain(b []byte) []byte {
	if n.negative {
		b = append(b, '-')
	}
	whole := len(n.digits) + n.exponent // digits before the point
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

func zeros(n int) []byte { return bytes.Repeat([]byte("0"), n) }

// exact returns the decimal that a number stands for. It is false for one too
// long to be meant.
func exact(written []byte) (decimal.Decimal, bool) {
	if d, ok := small(written); ok {
		return d, true
	}
	n := dissect(written, nil)
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

// smallDigits is how many digits surely fit into an int64.
const smallDigits = 18

// small is exact for a number that fits and has no exponent, as nearly all do.
func small(written []byte) (decimal.Decimal, bool) {
	rest, negative := bytes.CutPrefix(written, []byte("-"))
	if len(rest) > smallDigits {
		return decimal.Decimal{}, false
	}
	var digits int64
	fraction := int32(0)
	for i, c := range rest {
		switch {
		case c == '.':
			fraction = int32(len(rest) - i - 1) //nolint:gosec // 18 at most
		case c > '9':
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

// Plain writes a number of units: all digits, no exponent, no zeros at the end of
// a fraction.
func Plain(d decimal.Decimal) string { return d.String() }

// Rupees writes an amount of money: like Plain, but never with fewer than two places.
func Rupees(d decimal.Decimal) string {
	s := d.String()
	if point := strings.IndexByte(s, '.'); point < 0 || len(s)-point < 3 {
		return d.StringFixed(2)
	}
	return s
}
