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

// exact returns the decimal that a number stands for. It is false for one too
// long to be meant.
func exact(written []byte) (decimal.Decimal, bool) {
	var room [48]byte // enough for all numbers that are meant
	n := dissect(written, room[:0])
	if len(n.digits)+n.exponent > maxWhole || -n.exponent > maxFraction {
		return decimal.Decimal{}, false
	}
	if len(n.digits) == 0 {
		return decimal.Decimal{}, true
	}
	return n.decimal(), true
}

// smallDigits is how many digits surely fit into an int64.
const smallDigits = 18

func (n number) decimal() decimal.Decimal {
	exponent := int32(n.exponent) //nolint:gosec // within the bounds of exact
	if len(n.digits) > smallDigits {
		digits, _ := new(big.Int).SetString(string(n.digits), 10)
		if n.negative {
			digits.Neg(digits)
		}
		return decimal.NewFromBigInt(digits, exponent)
	}
	var digits int64
	for _, d := range n.digits {
		digits = 10*digits + int64(d-'0')
	}
	if n.negative {
		digits = -digits
	}
	return decimal.New(digits, exponent)
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
