package statement

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"hash"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// fingerprint collects what is kept of a statement in a canonical form, of which it
// returns the SHA-256. A row is hashed when it is stored, with its transactions; the
// statement is hashed from the hashes of its accounts, and those from the hashes of their
// rows, each sorted. So the order of accounts, rows, transactions and holders does not
// matter, nor how numbers are written, nor what is not kept.
type fingerprint struct {
	hash  hash.Hash
	out   []byte           // of the row or account that is written
	lines []line           // of the transactions of the row
	rows  [][hashSize]byte // of the holdings
	last  [hashSize]byte   // of sum, so that it need not be allocated
}

const hashSize = sha256.Size

// line is a part of the canonical form in fingerprint.out.
type line struct{ start, end int }

// text appends a text. Texts end with U+0000, which parseDocument does not accept in them.
func (f *fingerprint) text(texts ...string) {
	for _, t := range texts {
		f.out = append(append(f.out, t...), 0)
	}
}

// amount appends an amount, which is the same for equal amounts.
func (f *fingerprint) amount(amounts ...decimal.NullDecimal) {
	for _, a := range amounts {
		if a.Valid {
			f.out = append(f.out, a.Decimal.String()...)
		}
		f.out = append(f.out, 0)
	}
}

// number appends the number that a value states, in the form of amount.
func (f *fingerprint) number(v value) {
	if text, ok := numberText(v); ok && len(text) > 0 {
		f.out = appendNumber(f.out, text)
	}
	f.out = append(f.out, 0)
}

// appendNumber appends a JSON number with all its digits: no exponent, no zeros at the end
// of the fraction.
func appendNumber(out, raw []byte) []byte {
	if exponentIndex(raw) >= 0 {
		return parseNumber(raw, nil).appendPlain(out)
	}
	if bytes.IndexByte(raw, '.') >= 0 {
		raw = bytes.TrimRight(bytes.TrimRight(raw, "0"), ".")
	}
	if string(raw) == "-0" {
		raw = raw[1:]
	}
	return append(out, raw...)
}

// transaction adds a transaction of the row that is read. amounts are its units, NAV,
// amount and balance, as stated.
func (f *fingerprint) transaction(t *Transaction, amounts [4]value) {
	start := len(f.out)
	f.text(t.Date, t.Type, t.Description)
	for _, v := range amounts {
		f.number(v)
	}
	f.lines = append(f.lines, line{start, len(f.out)})
}

// row adds the row h, which states amounts, with the transactions added since the last row.
func (f *fingerprint) row(h *Holding, amounts [6]value) {
	compare := func(a, b line) int { return bytes.Compare(f.out[a.start:a.end], f.out[b.start:b.end]) }
	if !slices.IsSortedFunc(f.lines, compare) {
		slices.SortFunc(f.lines, compare)
	}
	f.hash.Reset()
	for _, l := range f.lines {
		_, _ = f.hash.Write(f.out[l.start:l.end])
	}
	f.out = f.out[:0]
	f.text(string(h.Class), h.ISIN, h.Name, h.Category, strconv.FormatBool(h.InDemat))
	for _, v := range amounts {
		f.number(v)
	}
	f.rows = append(f.rows, f.sum())
	f.discard()
}

// discard forgets the transactions added since the last row.
func (f *fingerprint) discard() { f.out, f.lines = f.out[:0], f.lines[:0] }

// sum hashes what was written.
func (f *fingerprint) sum() [hashSize]byte {
	_, _ = f.hash.Write(f.out)
	f.hash.Sum(f.last[:0])
	f.out = f.out[:0]
	return f.last
}

// sorted appends hashes, sorted.
func (f *fingerprint) sorted(hashes [][hashSize]byte) {
	slices.SortFunc(hashes, func(a, b [hashSize]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, h := range hashes {
		f.out = append(f.out, h[:]...)
	}
}

// of returns the fingerprint of s, whose holdings are those that were added.
func (f *fingerprint) of(s *Statement) [hashSize]byte {
	rows := make([][][hashSize]byte, len(s.Accounts))
	for i := range s.Holdings {
		at := s.Holdings[i].AccountIndex
		rows[at] = append(rows[at], f.rows[i])
	}
	accounts := make([][hashSize]byte, len(s.Accounts))
	for i, a := range s.Accounts {
		f.hash.Reset()
		f.text(string(a.Kind), cmp.Or(a.Key, a.Number), a.Institution, strconv.Itoa(len(a.Holders)))
		f.amount(a.Value)
		holders := slices.Clone(a.Holders)
		slices.SortFunc(holders, func(a, b Holder) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.PAN, b.PAN)) })
		for _, h := range holders {
			f.text(h.Name, string(h.PAN))
		}
		f.sorted(rows[i])
		accounts[i] = f.sum()
	}
	f.hash.Reset()
	var period Period
	if s.Period != nil {
		period = *s.Period
	}
	f.text(string(s.CASType), string(s.PAN), period.From, period.To)
	f.amount(decimal.NewNullDecimal(s.TotalValue))
	f.sorted(accounts)
	return f.sum()
}
