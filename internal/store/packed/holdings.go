package packed

import (
	"encoding/binary"

	"github.com/shopspring/decimal"

	"casbroker/internal/secret"
	"casbroker/internal/statement"
)

// The bits of a holding's second byte.
const (
	inDemat        = 1 << iota
	ownNumber      // its account number is not that of its account
	ownInstitution // its institution is not that of its account
)

// Holdings encodes the holdings of a statement and their accounts.
func Holdings(accounts []statement.Account, holdings []statement.Holding) []byte {
	b := make([]byte, 0, 64*len(accounts)+128*len(holdings))
	b = append(b, version, kindHoldings)
	b = binary.AppendUvarint(b, uint64(len(accounts)))
	for i := range accounts {
		b = appendAccount(b, &accounts[i])
	}
	b = binary.AppendUvarint(b, uint64(len(holdings)))
	for i := range holdings {
		b = appendHolding(b, &holdings[i], accounts)
	}
	return b
}

func appendAccount(b []byte, a *statement.Account) []byte {
	b = append(b, presence(&a.Value))
	b = appendText(b, string(a.Kind))
	b = appendText(b, a.Number)
	b = appendText(b, a.Key)
	b = appendText(b, a.Institution)
	b = appendHolder(b, a.Owner)
	b = binary.AppendUvarint(b, uint64(len(a.Holders)))
	for _, h := range a.Holders {
		b = appendHolder(b, h)
	}
	return appendAmounts(b, &a.Value)
}

func appendHolder(b []byte, h statement.Holder) []byte {
	return appendText(appendText(b, h.Name), h.PAN.Reveal())
}

func appendHolding(b []byte, h *statement.Holding, accounts []statement.Account) []byte {
	var a statement.Account
	index := h.AccountIndex + 1
	if index > 0 && index <= len(accounts) {
		a = accounts[index-1]
	} else {
		index = 0
	}
	flags := byte(0)
	if h.InDemat {
		flags |= inDemat
	}
	if h.Account != a.Number {
		flags |= ownNumber
	}
	if h.Institution != a.Institution {
		flags |= ownInstitution
	}
	amounts := holdingAmounts(h)
	b = append(b, presence(amounts[:]...), flags)
	b = binary.AppendUvarint(b, uint64(index))
	b = appendText(b, string(h.Class))
	b = appendText(b, h.ISIN)
	b = appendText(b, h.Name)
	b = appendText(b, h.Category)
	if flags&ownNumber != 0 {
		b = appendText(b, h.Account)
	}
	if flags&ownInstitution != 0 {
		b = appendText(b, h.Institution)
	}
	return appendAmounts(b, amounts[:]...)
}

func holdingAmounts(h *statement.Holding) [6]*decimal.NullDecimal {
	return [...]*decimal.NullDecimal{&h.Units, &h.Price, &h.Value, &h.Cost, &h.Gain, &h.SumAssured}
}

// ReadHoldings decodes what Holdings encoded. It returns ErrFormat for anything else.
func ReadHoldings(data []byte) ([]statement.Account, []statement.Holding, error) {
	r, n, err := open(data, kindHoldings)
	if err != nil {
		return nil, nil, err
	}
	accounts := make([]statement.Account, n)
	for i := range accounts {
		r.account(&accounts[i])
	}
	holdings := make([]statement.Holding, r.count())
	for i := range holdings {
		holdings[i].Seq = i
		r.holding(&holdings[i], accounts)
	}
	return accounts, holdings, r.end()
}

func (r *reader) account(a *statement.Account) {
	stated := r.presence(1)
	a.Kind = statement.AccountKind(r.text())
	a.Number, a.Key, a.Institution = r.text(), r.text(), r.text()
	a.Owner = r.holder()
	if n := r.count(); n > 0 {
		a.Holders = make([]statement.Holder, n)
		for i := range a.Holders {
			a.Holders[i] = r.holder()
		}
	}
	r.amounts(stated, &a.Value)
}

func (r *reader) holder() statement.Holder {
	return statement.Holder{Name: r.text(), PAN: secret.Text(r.text())}
}

func (r *reader) holding(h *statement.Holding, accounts []statement.Account) {
	amounts := holdingAmounts(h)
	stated, flags := r.presence(len(amounts)), r.byte()
	h.InDemat = flags&inDemat != 0
	if h.AccountIndex = r.index(len(accounts)); h.AccountIndex >= 0 {
		a := &accounts[h.AccountIndex]
		h.Account, h.Institution = a.Number, a.Institution
	}
	h.Class = statement.Class(r.text())
	h.ISIN, h.Name, h.Category = r.text(), r.text(), r.text()
	if flags&ownNumber != 0 {
		h.Account = r.text()
	}
	if flags&ownInstitution != 0 {
		h.Institution = r.text()
	}
	r.amounts(stated, amounts[:]...)
}
