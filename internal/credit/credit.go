// Package credit has amounts of the vendor's credits.
package credit

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Amount is a number of credits in thousandths. It is written as a decimal such as "0.5".
type Amount int64

// One is one credit.
const One Amount = 1000

// digits is the number of decimal places of an Amount.
const digits = 3

// maxWhole bounds the whole credits of an Amount, so that sums do not overflow.
const maxWhole = math.MaxInt64 / 1000 / 1000

var errAmount = errors.New("want a number of credits such as 5 or 0.2, with at most 3 decimal places")

// Parse reads a decimal that is 0 or more, such as "5", "0.2" or "1.000".
func Parse(text string) (Amount, error) {
	whole, fraction, hasFraction := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || n > maxWhole || whole[0] == '+' {
		return 0, errAmount
	}
	if !hasFraction {
		return Amount(n) * One, nil
	}
	f, err := strconv.ParseUint(fraction, 10, 63)
	if err != nil || len(fraction) > digits || fraction[0] == '+' {
		return 0, errAmount
	}
	for range digits - len(fraction) {
		f *= 10
	}
	return Amount(n)*One + Amount(f), nil
}

// String returns the amount without trailing zeros, such as "5", "0.2" or "-1.25".
func (a Amount) String() string {
	sign, n := "", uint64(a) //nolint:gosec // the sign is treated below
	if a < 0 {
		sign, n = "-", -n
	}
	text := sign + strconv.FormatUint(n/uint64(One), 10)
	if f := n % uint64(One); f != 0 {
		text += "." + strings.TrimRight(strconv.FormatUint(f+uint64(One), 10)[1:], "0")
	}
	return text
}

// MarshalText returns the amount as String does.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an amount as Parse does.
func (a *Amount) UnmarshalText(text []byte) (err error) {
	*a, err = Parse(string(text))
	return err
}

// Float returns the amount as a number of credits, for charts and metrics.
func (a Amount) Float() float64 { return float64(a) / float64(One) }
