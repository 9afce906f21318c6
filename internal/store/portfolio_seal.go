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
	id          string
	fingerprint []byte
	from, to    string
	private     []byte
	payload     []byte
	findings    string
	holdings    []statement.Holding
	accountOf   []int // for each holding, its place in private's accounts, or -1
}

// private is what of a portfolio is sealed, besides the payload.
type private struct {
	Name      string   `json:"name"`
	PANMasked string   `json:"pan_masked"`
	Accounts  []string `json:"accounts"`
}

// findings is what of a portfolio is told and never asked for by itself.
type findings struct {
	Counts   map[statement.Class]int `json:"counts"`
	Rejected []fault.Field           `json:"rejected"`
	Warnings []fault.Field           `json:"warnings"`
}

// seal makes the rows of a portfolio, before a transaction is begun.
func (s *DB) seal(save portfolio.Saving) (sealed, error) {
	p, st := save.Portfolio, save.Statement
	row := sealed{
		id:          p.ID,
		fingerprint: s.box.Digest("portfolio fingerprint", st.Fingerprint[:]),
		holdings:    st.Holdings,
		accountOf:   make([]int, len(st.Holdings)),
	}
	if p.Period != nil {
		row.from, row.to = p.Period.From, p.Period.To
	}
	hidden := private{Name: p.Investor.Name, PANMasked: p.Investor.PANMasked}
	places := map[string]int{"": -1}
	for i, h := range st.Holdings {
		place, known := places[h.Account]
		if !known {
			place = len(hidden.Accounts)
			places[h.Account] = place
			hidden.Accounts = append(hidden.Accounts, h.Account)
		}
		row.accountOf[i] = place
	}
	plain, err := json.Marshal(hidden)
	if err != nil {
		return row, fmt.Errorf("encode private fields: %w", err)
	}
	told, err := json.Marshal(findings{p.Counts, p.Rejected, p.Warnings})
	if err != nil {
		return row, fmt.Errorf("encode findings: %w", err)
	}
	packed, err := pack(save.Payload)
	if err != nil {
		return row, err
	}
	row.private, row.findings = s.box.Seal(privatePlace(p.ID), plain), string(told)
	row.payload = s.box.Seal(payloadPlace(p.ID), packed)
	return row, nil
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
	return z.EncodeAll(plain, make([]byte, 0, len(plain)/4)), nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := unpacker()
	if err != nil {
		return nil, err
	}
	return z.DecodeAll(packed, nil)
}
