package store

import (
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// sealed is a portfolio as its rows will have it.
type sealed struct {
	portfolio.Portfolio
	fingerprint  []byte
	marks        []byte // of the PAN
	from, to     string
	private      []byte
	payload      []byte
	findings     string
	holdings     []statement.Holding
	accounts     []string
	accountOf    []int // for each holding, its place among accounts, or -1
	transactions []statement.Transaction
}

// values returns what stands in portfolioFilled.
func (r *sealed) values() []any {
	return []any{
		r.ID, r.Subject, r.fingerprint, string(r.Provenance), string(r.CASType), r.from, r.to, r.private, r.TotalValue.String(),
		r.ReceivedRows, r.StoredRows, r.findings, millis(r.SavedAt), r.Owner, flag(r.Active), r.marks, len(r.transactions),
	}
}

// private is what of a portfolio is sealed, besides the payload. Findings are, since
// their places have names in them that nobody has chosen here.
type private struct {
	Name      string        `json:"name"`
	PANMasked string        `json:"pan_masked"`
	Accounts  []string      `json:"accounts"`
	Rejected  []fault.Field `json:"rejected"`
	Warnings  []fault.Field `json:"warnings"`
}

// findings is what of a portfolio is told and never asked for by itself.
type findings struct {
	Counts map[statement.Class]int `json:"counts"`
}

// seal makes the rows of a portfolio, before a transaction is begun.
func (s *DB) seal(save portfolio.Saving) (*sealed, error) {
	p, st := save.Portfolio, save.Statement
	row := &sealed{
		Portfolio:    p,
		fingerprint:  s.box.Digest("portfolio fingerprint", st.Fingerprint[:]),
		marks:        s.marks(p.Subject, st.PAN),
		holdings:     st.Holdings,
		transactions: st.Transactions,
	}
	if p.Period != nil {
		row.from, row.to = p.Period.From, p.Period.To
	}
	row.accounts, row.accountOf = accounts(st.Holdings)
	told, err := json.Marshal(findings{p.Counts})
	if err != nil {
		return nil, fmt.Errorf("encode findings: %w", err)
	}
	row.findings = string(told)
	packed, err := pack(save.Payload)
	if err != nil {
		return nil, err
	}
	row.payload = s.box.Seal(payloadPlace(p.ID), packed)
	return row, s.hide(row)
}

// hide seals what is private of r, anew when that has changed.
func (s *DB) hide(r *sealed) error {
	plain, err := json.Marshal(private{r.Investor.Name, r.Investor.PANMasked, r.accounts, r.Rejected, r.Warnings})
	if err != nil {
		return fmt.Errorf("encode private fields: %w", err)
	}
	r.private = s.box.Seal(privatePlace(r.ID), plain)
	return nil
}

// accounts lists the accounts of holdings, each once, and tells for each holding
// which one is its own, or -1.
func accounts(holdings []statement.Holding) (list []string, of []int) {
	of = make([]int, len(holdings))
	places := map[string]int{"": -1}
	for i, h := range holdings {
		place, known := places[h.Account]
		if !known {
			place = len(list)
			places[h.Account] = place
			list = append(list, h.Account)
		}
		of[i] = place
	}
	return list, of
}

func privatePlace(id string) string { return "portfolio/" + id + "/private" }
func payloadPlace(id string) string { return "portfolio/" + id + "/raw" }

// The window is small: payloads are, and each call holds one.
var (
	packer = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	})
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(1<<30))
	})
)

func pack(plain []byte) ([]byte, error) {
	z, err := packer()
	if err != nil {
		return nil, fmt.Errorf("compress payload: %w", err)
	}
	return z.EncodeAll(plain, make([]byte, 0, len(plain)/8)), nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := unpacker()
	if err != nil {
		return nil, err
	}
	return z.DecodeAll(packed, nil)
}
