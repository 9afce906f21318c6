package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
	"github.com/shopspring/decimal"

	"casbroker/internal/fault"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store/packed"
)

// sealedPortfolio has the values of a portfolio's rows, encrypted where they are personal.
type sealedPortfolio struct {
	portfolio.Portfolio
	fingerprint  []byte
	panHashes    []byte
	stated       statedAccounts
	first        bool   // of its user
	links        []byte // packed accountLinks
	details      []byte // sealed accountDetails
	from, to     string
	private      []byte
	payload      []byte
	holdings     []byte
	transactions []byte
	findings     string
}

// private has the fields of a portfolio that are sealed together; the payload is sealed
// by itself. Rejected and Warnings are among them, since their paths contain member names
// that a caller chose.
type private struct {
	Name      string        `json:"name"`
	PANMasked string        `json:"pan_masked"`
	Rejected  []fault.Field `json:"rejected"`
	Warnings  []fault.Field `json:"warnings"`
	// TotalValue is null in portfolios that an earlier release saved, which have it in a
	// column.
	TotalValue decimal.NullDecimal `json:"total_value,omitzero"`
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
	if err := countOwners(&st); err != nil {
		return nil, err
	}
	row := &sealedPortfolio{
		Portfolio:   p,
		fingerprint: s.fingerprint(&st),
		stated:      s.stateAccounts(p.Subject, p.ID, &st),
	}
	if p.Period != nil {
		row.from, row.to = p.Period.From, p.Period.To
	}
	encoded, err := json.Marshal(findings{p.Counts})
	if err != nil {
		return nil, fmt.Errorf("encode findings: %w", err)
	}
	row.findings = string(encoded)
	if row.payload, err = s.sealCompressed(payloadData(p.ID), save.Payload); err != nil {
		return nil, err
	}
	if row.holdings, err = s.sealCompressed(holdingsData(p.ID), packed.Holdings(st.Accounts, st.Holdings)); err != nil {
		return nil, err
	}
	if row.transactions, err = s.sealCompressed(transactionsData(p.ID), packed.Transactions(st.Transactions)); err != nil {
		return nil, err
	}
	return row, s.sealPrivate(row)
}

// sealCompressed compresses plain, then seals it.
func (s *DB) sealCompressed(associatedData string, plain []byte) ([]byte, error) {
	compressed, err := compress(plain)
	if err != nil {
		return nil, err
	}
	return s.box.Seal(associatedData, compressed), nil
}

// openCompressed is the inverse of sealCompressed. It returns portfolio.ErrUnreadable for
// what cannot be decrypted or decompressed.
func (s *DB) openCompressed(associatedData string, sealed []byte) ([]byte, error) {
	compressed, err := s.box.Open(associatedData, sealed)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("decrypt %s: %w", associatedData, err))
	}
	plain, err := decompress(compressed)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("decompress %s: %w", associatedData, err))
	}
	return plain, nil
}

// sealPrivate seals the private fields of r. It is called again after they have changed.
func (s *DB) sealPrivate(r *sealedPortfolio) error {
	var err error
	r.private, err = s.sealFields(r.ID, private{
		Name: r.Investor.Name, PANMasked: r.Investor.PANMasked, Rejected: r.Rejected, Warnings: r.Warnings,
		TotalValue: decimal.NewNullDecimal(r.TotalValue), Differences: r.Differences, Metadata: r.Metadata, MetadataAdded: r.MetadataAdded,
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

// These return the associated data that the ciphertexts of portfolio id are bound to.
func privateData(id string) string      { return "portfolio/" + id + "/private" }
func payloadData(id string) string      { return "portfolio/" + id + "/raw" }
func holdingsData(id string) string     { return "portfolio/" + id + "/holdings" }
func transactionsData(id string) string { return "portfolio/" + id + "/transactions" }

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
