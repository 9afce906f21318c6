package statement

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// The longest numbers taken, after zeros at both ends were dropped. All the wealth
// of the world in rupees has 17 digits before the point.
const (
	maxWhole    = 30
	maxFraction = 20
)

// number is a JSON number taken apart: digits × 10^exponent, where digits neither
// begin nor end with a zero. Zero has no digits and no sign.
type number struct {
	negative bool
	digits   string
	exponent int
}

// dissect takes a JSON number apart. It is false for an exponent of more than six
// characters, which no sum of money has.
func dissect(text string) (number, bool) {
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, power := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		var err error
		if power, err = strconv.Atoi(rest[i+1:]); err != nil || len(rest)-i > 7 {
			return number{}, false
		}
		mantissa = rest[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return number{}, true
	}
	return number{negative, significant, power - len(fraction) + len(digits) - len(significant)}, true
}

// exact returns the decimal that text, a JSON number, stands for. It is false
// for a number too long to be meant.
func exact(text string) (decimal.Decimal, bool) {
	n, ok := dissect(text)
	if !ok || len(n.digits)+n.exponent > maxWhole || -n.exponent > maxFraction {
		return decimal.Decimal{}, false
	}
	if n.digits == "" {
		return decimal.Decimal{}, true
	}
	digits, ok := new(big.Int).SetString(n.digits, 10)
	if !ok {
		return decimal.Decimal{}, false
	}
	if n.negative {
		digits.Neg(digits)
	}
	return decimal.NewFromBigInt(digits, int32(n.exponent)), true //nolint:gosec // within the bounds above
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
