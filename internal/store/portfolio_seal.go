package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// sealedPortfolio has the values of a portfolio's rows, encrypted where they are personal.
type sealedPortfolio struct {
	portfolio.Portfolio
	fingerprint  []byte
	panHashes    []byte
	stated       statedAccounts
	links        []byte // packed accountLinks
	details      []byte // sealed accountDetails
	from, to     string
	private      []byte
	payload      []byte
	findings     string
	holdings     []statement.Holding
	accounts     []string
	accountOf    []int // for each holding, its index in accounts, or -1
	transactions []statement.Transaction
}

// private has the fields of a portfolio that are sealed together; the payload is sealed
// by itself. Rejected and Warnings are among them, since their paths contain member names
// that a caller chose.
type private struct {
	Name      string        `json:"name"`
	PANMasked string        `json:"pan_masked"`
	Accounts  []string      `json:"accounts"`
	Rejected  []fault.Field `json:"rejected"`
	Warnings  []fault.Field `json:"warnings"`
	// Differences has member names that a caller chose, too.
	Differences []string `json:"differences,omitzero"`
	// Metadata is what the page said, once a save had any.
	Metadata      jsontext.Value `json:"metadata,omitzero"`
	MetadataAdded bool           `json:"metadata_added,omitzero"`
}

// findings has the fields of a portfolio that no query selects by.
type findings struct {
	Counts map[statement.Class]int `json:"counts"`
}

// seal prepares the rows of a portfolio. It runs before the transaction begins, to keep
// that short.
func (s *DB) seal(save portfolio.SaveRequest) (*sealedPortfolio, error) {
	p, st := save.Portfolio, save.Statement
	row := &sealedPortfolio{
		Portfolio:    p,
		fingerprint:  s.fingerprint(&st),
		stated:       s.stateAccounts(p.Subject, p.ID, &st),
		holdings:     st.Holdings,
		transactions: st.Transactions,
	}
	if p.Period != nil {
		row.from, row.to = p.Period.From, p.Period.To
	}
	row.accounts, row.accountOf = accounts(st.Holdings)
	encoded, err := json.Marshal(findings{p.Counts})
	if err != nil {
		return nil, fmt.Errorf("encode findings: %w", err)
	}
	row.findings = string(encoded)
	compressed, err := compress(save.Payload)
	if err != nil {
		return nil, err
	}
	row.payload = s.box.Seal(payloadData(p.ID), compressed)
	return row, s.sealPrivate(row)
}

// sealPrivate seals the private fields of r. It is called again after they have changed.
func (s *DB) sealPrivate(r *sealedPortfolio) error {
	var err error
	r.private, err = s.sealFields(r.ID, private{
		r.Investor.Name, r.Investor.PANMasked, r.accounts, r.Rejected, r.Warnings, r.Differences, r.Metadata, r.MetadataAdded,
	})
	return err
}

func (s *DB) sealFields(portfolioID string, fields private) ([]byte, error) {
	plain, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode private fields: %w", err)
	}
	return s.box.Seal(privateData(portfolioID), plain), nil
}

// addMetadata adds metadata to p, which has none and is readable. The caller must have
// locked the user.
func (s *DB) addMetadata(ctx context.Context, tx *sql.Tx, p portfolio.Portfolio, metadata jsontext.Value) (portfolio.Portfolio, error) {
	var sealed []byte
	if err := tx.QueryRowContext(ctx, `SELECT private FROM portfolios WHERE id = $1`, p.ID).Scan(&sealed); err != nil {
		return p, fmt.Errorf("read private fields: %w", err)
	}
	plain, err := s.box.Open(privateData(p.ID), sealed)
	if err != nil {
		return p, portfolio.ErrUnreadable.Because(fmt.Errorf("decrypt %s: %w", p.ID, err))
	}
	var fields private
	if err := json.Unmarshal(plain, &fields); err != nil {
		return p, fmt.Errorf("decode portfolio %s: %w", p.ID, err)
	}
	fields.Metadata, fields.MetadataAdded = metadata, true
	if sealed, err = s.sealFields(p.ID, fields); err != nil {
		return p, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE portfolios SET private = $1 WHERE id = $2`, sealed, p.ID); err != nil {
		return p, fmt.Errorf("add metadata: %w", err)
	}
	p.Metadata, p.MetadataAdded = metadata, true
	return p, nil
}

// accounts lists the distinct accounts of holdings, and returns for each holding the
// index of its account, or -1 without one.
func accounts(holdings []statement.Holding) (list []string, of []int) {
	of = make([]int, len(holdings))
	indexes := map[string]int{"": -1}
	for i, h := range holdings {
		index, known := indexes[h.Account]
		if !known {
			index = len(list)
			indexes[h.Account] = index
			list = append(list, h.Account)
		}
		of[i] = index
	}
	return list, of
}

// privateData and payloadData return the associated data that the ciphertexts of portfolio
// id are bound to.
func privateData(id string) string { return "portfolio/" + id + "/private" }
func payloadData(id string) string { return "portfolio/" + id + "/raw" }

// The compression window is small, since payloads are small and each concurrent call allocates one.
var (
	encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	})
	decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(1<<30))
	})
)

func compress(plain []byte) ([]byte, error) {
	z, err := encoder()
	if err != nil {
		return nil, fmt.Errorf("compress payload: %w", err)
	}
	return z.EncodeAll(plain, make([]byte, 0, len(plain)/8)), nil
}

func decompress(compressed []byte) ([]byte, error) {
	z, err := decoder()
	if err != nil {
		return nil, err
	}
	return z.DecodeAll(compressed, nil)
}
