package packed

import (
	"encoding/binary"

	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
)

// Transactions encodes the transactions of a statement, which are in the order of their
// holdings.
func Transactions(list []statement.Transaction) []byte {
	b := make([]byte, 0, 64*len(list)+8)
	b = append(b, version, kindTransactions)
	b = binary.AppendUvarint(b, uint64(len(list)))
	holding := 0
	for i := range list {
		t := &list[i]
		amounts := transactionAmounts(t)
		b = append(b, presence(amounts[:]...))
		b = binary.AppendUvarint(b, uint64(t.Holding-holding)) //nolint:gosec // in order
		holding = t.Holding
		b = appendText(b, t.Date)
		b = appendText(b, t.Type)
		b = appendText(b, t.Description)
		b = appendAmounts(b, amounts[:]...)
	}
	return b
}

func transactionAmounts(t *statement.Transaction) [4]*decimal.NullDecimal {
	return [...]*decimal.NullDecimal{&t.Units, &t.NAV, &t.Amount, &t.Balance}
}

// maxHolding is more than the number of any holding.
const maxHolding = 1 << 30

// ReadTransactions decodes what Transactions encoded and calls yield for each transaction
// from number first on, until that returns false. It returns ErrFormat for anything else. A
// Transaction is valid after yield has returned.
func ReadTransactions(data []byte, first int, yield func(t *statement.Transaction) bool) error {
	r, n, err := open(data, kindTransactions)
	if err != nil {
		return err
	}
	holding := uint64(0)
	for i := range n {
		t := statement.Transaction{Seq: i}
		stated := r.presence(len(transactionAmounts(&t)))
		if holding += r.uvarint(); holding > maxHolding {
			r.fail()
		}
		t.Holding, t.Date, t.Type, t.Description = int(holding), r.text(), r.text(), r.text() //nolint:gosec // not above maxHolding
		if i < first {
			r.skipAmounts(stated)
			continue
		}
		amounts := transactionAmounts(&t)
		r.amounts(stated, amounts[:]...)
		if r.failed {
			return ErrFormat
		}
		if !yield(&t) {
			return nil
		}
	}
	return r.end()
}
