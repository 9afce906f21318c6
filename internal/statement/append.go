package statement

import (
	"strconv"

	"github.com/shopspring/decimal"
)

// AppendUnits appends what FormatUnits returns to b.
func AppendUnits(b []byte, d decimal.Decimal) []byte { return appendDecimal(b, d, 0, FormatUnits) }

// AppendRupees appends what FormatRupees returns to b.
func AppendRupees(b []byte, d decimal.Decimal) []byte { return appendDecimal(b, d, 2, FormatRupees) }

// appendDecimal appends d, with at least this number of decimal places. It formats itself
// what fits into an int64 and has few places, as nearly all amounts do, since that costs a
// tenth of the time.
func appendDecimal(b []byte, d decimal.Decimal, places int, format func(decimal.Decimal) string) []byte {
	exponent := int(d.Exponent())
	if exponent > 0 || exponent < -maxSmall || d.NumDigits() > maxSmall {
		return append(b, format(d)...)
	}
	coefficient := d.CoefficientInt64()
	if coefficient < 0 {
		b, coefficient = append(b, '-'), -coefficient
	}
	var buffer [2*maxSmall + 2]byte
	digits := strconv.AppendInt(buffer[:maxSmall+1], coefficient, 10)[maxSmall+1:]
	fraction := -exponent
	for fraction > places && digits[len(digits)-1] == '0' && len(digits) > 1 {
		digits, fraction = digits[:len(digits)-1], fraction-1
	}
	if coefficient == 0 {
		digits, fraction = digits[:1], 0
	}
	if whole := len(digits) - fraction; whole > 0 {
		b, digits = append(b, digits[:whole]...), digits[whole:]
	} else {
		b = append(b, '0')
	}
	if fraction == 0 && places == 0 {
		return b
	}
	b = append(b, '.')
	for zeros := fraction - len(digits); zeros > 0; zeros-- {
		b = append(b, '0')
	}
	b = append(b, digits...)
	for ; fraction < places; fraction++ {
		b = append(b, '0')
	}
	return b
}
