// Package packed encodes the rows of a statement as bytes: its holdings with their accounts
// as one value, its transactions as another. The store compresses and seals them.
//
//	version, kind, number of items, items
//
// An item is a sequence of fields in a fixed order. A count or an index is a varint, a text
// is its length and its bytes, an amount is an exponent and a coefficient. The version is
// the first byte; a reader knows all versions that were ever written. The numbers of rows,
// which are their positions, are not written.
//
// It is written by hand because rows are decoded for each read: BenchmarkDecode compares it
// with JSON.
package packed

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
)

// version is the first byte of every value.
const version = 1

// The second byte of a value.
const (
	kindHoldings     = 'h'
	kindTransactions = 't'
)

// ErrFormat is returned for bytes that this package did not write.
var ErrFormat = errors.New("packed rows cannot be decoded")

// The first byte of an amount is its exponent plus exponentZero, or bigAmount if that does not
// fit or the coefficient does not fit into an int64.
const (
	bigAmount    = 0
	exponentZero = 128
)

// smallDigits is the number of digits that every int64 has room for.
const smallDigits = 18

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendAmount(b []byte, d decimal.Decimal) []byte {
	exponent := d.Exponent()
	if first := exponent + exponentZero; first > bigAmount && first <= math.MaxUint8 && d.NumDigits() <= smallDigits {
		return binary.AppendVarint(append(b, byte(first)), d.CoefficientInt64())
	}
	coefficient := d.Coefficient()
	b = binary.AppendVarint(append(b, bigAmount), int64(exponent))
	sign := byte(0)
	if coefficient.Sign() < 0 {
		sign = 1
	}
	return appendText(append(b, sign), string(coefficient.Bytes()))
}

// appendAmounts appends those of list that are stated. presence tells the reader which.
func appendAmounts(b []byte, list ...*decimal.NullDecimal) []byte {
	for _, d := range list {
		if d.Valid {
			b = appendAmount(b, d.Decimal)
		}
	}
	return b
}

// presence returns a bit for each of list, the lowest first, which is set if it is stated.
func presence(list ...*decimal.NullDecimal) (stated byte) {
	for i, d := range list {
		if d.Valid {
			stated |= 1 << i
		}
	}
	return stated
}

// reader decodes what the append functions write. Texts are parts of data. After the first
// mistake failed is set and everything reads as zero.
type reader struct {
	data   string
	failed bool
}

// open returns a reader of the items in data and their number.
func open(data []byte, kind byte) (*reader, int, error) {
	if len(data) < 2 || data[0] != version || data[1] != kind {
		return nil, 0, ErrFormat
	}
	r := &reader{data: string(data[2:])}
	n := r.count()
	return r, n, r.err()
}

// err returns ErrFormat after a mistake.
func (r *reader) err() error {
	if r.failed {
		return ErrFormat
	}
	return nil
}

// end returns ErrFormat after a mistake, or if there is more to read.
func (r *reader) end() error {
	if r.data != "" {
		r.fail()
	}
	return r.err()
}

func (r *reader) fail() { r.data, r.failed = "", true }

func (r *reader) byte() byte {
	if r.data == "" {
		r.fail()
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

// presence reads which of n amounts are stated.
func (r *reader) presence(n int) byte {
	stated := r.byte()
	if stated>>n != 0 {
		r.fail()
		return 0
	}
	return stated
}

func (r *reader) uvarint() (v uint64) {
	for i := 0; i < len(r.data) && i < binary.MaxVarintLen64; i++ {
		b := r.data[i]
		if b < 0x80 {
			if i == binary.MaxVarintLen64-1 && b > 1 {
				break
			}
			r.data = r.data[i+1:]
			return v | uint64(b)<<(7*i)
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	r.fail()
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		return ^v
	}
	return v
}

// count returns a number of items or bytes that follow. Each takes a byte at least, so there
// are not more than bytes.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n) //nolint:gosec // at most len
}

// index returns a number below n, or -1, written as one more than it is.
func (r *reader) index(n int) int {
	v := r.uvarint()
	if v > uint64(n) { //nolint:gosec // a length
		r.fail()
		return -1
	}
	return int(v) - 1 //nolint:gosec // at most n
}

func (r *reader) text() string {
	n := r.count()
	text := r.data[:n]
	r.data = r.data[n:]
	return text
}

// amounts reads those of list that stated has.
func (r *reader) amounts(stated byte, list ...*decimal.NullDecimal) {
	for i, d := range list {
		if stated&(1<<i) != 0 {
			d.Decimal, d.Valid = r.amount(), true
		}
	}
}

func (r *reader) amount() decimal.Decimal {
	if first := r.byte(); first != bigAmount {
		return decimal.New(r.varint(), int32(first)-exponentZero)
	}
	exponent := r.varint()
	negative := r.byte() == 1
	coefficient := new(big.Int).SetBytes([]byte(r.text()))
	if exponent < math.MinInt32 || exponent > math.MaxInt32 {
		r.fail()
		return decimal.Decimal{}
	}
	if negative {
		coefficient.Neg(coefficient)
	}
	return decimal.NewFromBigInt(coefficient, int32(exponent))
}

// skipAmounts skips the amounts that stated has.
func (r *reader) skipAmounts(stated byte) {
	for range bits.OnesCount8(stated) {
		if r.byte() != bigAmount {
			r.uvarint()
			continue
		}
		r.uvarint()
		r.byte()
		r.text()
	}
}
