package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"casbroker/internal/secret"
)

// A batch of sealed values ends at whichever limit is reached first: it is held in
// memory, and other changes wait for the transaction that writes it.
const (
	batchRows  = 100
	batchBytes = 4 << 20
)

// Tally counts the sealed values of one column.
type Tally struct {
	Table   string
	Rows    int            // values that were resealed, or that can be decrypted
	Unknown map[string]int // values whose key is missing, by the id of that key
	Damaged int            // values that cannot be decrypted with the key that they name
}

// Missing returns the number of values whose key is missing.
func (r Tally) Missing() (rows int) {
	for _, n := range r.Unknown {
		rows += n
	}
	return rows
}

// sealedColumn is a column that holds sealed values.
type sealedColumn struct {
	table, key, column string
	associatedData     func(key any) string // of the row with this key
}

// name returns the name of the column's Tally: its table, unless that has several.
func (c sealedColumn) name() string {
	if c.column == "account_details" {
		return "portfolio_accounts"
	}
	return c.table
}

// expand puts the column's names into a query.
func (c sealedColumn) expand(query string) string {
	return strings.NewReplacer("{table}", c.table, "{key}", c.key, "{column}", c.column).Replace(query)
}

// sealedColumns lists all columns that hold sealed values.
func sealedColumns() []sealedColumn {
	byID := func(data func(id string) string) func(any) string {
		return func(key any) string { return data(fmt.Sprint(key)) }
	}
	byHash := func(data func(hash []byte) string) func(any) string {
		return func(key any) string {
			hash, _ := key.([]byte)
			return data(hash)
		}
	}
	return []sealedColumn{
		{"portfolios", "id", "private", byID(privateData)},
		{"portfolios", "id", "account_details", byID(accountData)},
		{"owners", "id", "sealed", byID(ownerData)},
		{"payloads", "portfolio", "sealed", byID(payloadData)},
		{"packed_holdings", "portfolio", "sealed", byID(holdingsData)},
		{"packed_transactions", "portfolio", "sealed", byID(transactionsData)},
		{"idempotency", "scope", "answer", byHash(scopeData)},
		{"captures", "id", "sealed", byID(captureData)},
		{"statement_jobs", "id", "sealed", byID(jobData)},
		{"mailbox_connections", "state", "sealed", byHash(connectionData)},
		{"mailboxes", "handle", "sealed", byHash(mailboxData)},
		{"webhook_endpoints", "name", "sealed", byID(endpointData)},
		{"mail_files", "id", "sealed", byID(mailFileData)},
		{"mail_consents", "subject", "sealed", byID(consentData)},
		{"links", "id", "sealed", byID(linkData)},
		{"access_changes", "version", "sealed_reason", byID(changeData)},
		{"blocks", "subject", "sealed_reason", byID(blockData)},
	}
}

// Verify decrypts all sealed values and calls report once for each table; Rows counts the
// values that can be decrypted. It changes nothing, and the database stays in use.
func (s *DB) Verify(ctx context.Context, report func(Tally)) error {
	for _, c := range sealedColumns() {
		count, err := s.verifyColumn(ctx, c)
		if err != nil {
			return fmt.Errorf("verify %s: %w", c.name(), err)
		}
		report(count)
	}
	return nil
}

func (s *DB) verifyColumn(ctx context.Context, c sealedColumn) (Tally, error) {
	count := Tally{Table: c.name(), Unknown: map[string]int{}}
	var after any
	for {
		batch, err := s.readSealed(ctx, c, after, nil)
		if err != nil || len(batch) == 0 {
			return count, err
		}
		after = batch[len(batch)-1].key
		for _, v := range batch {
			if _, ok := s.openValue(c, v, &count); ok {
				count.Rows++
			}
		}
	}
}

// sealedValue is one value: as it is stored, and resealed.
type sealedValue struct {
	key      any // string or []byte
	old, new []byte
}

// openValue decrypts v. It returns false and counts v if it cannot be decrypted.
func (s *DB) openValue(c sealedColumn, v *sealedValue, count *Tally) ([]byte, bool) {
	plain, err := s.box.Open(c.associatedData(v.key), v.old)
	switch {
	case err == nil:
		return plain, true
	case errors.Is(err, secret.ErrUnknownKey):
		id, _ := secret.KeyID(v.old)
		count.Unknown[id]++
	default:
		count.Damaged++
	}
	return nil, false
}

// readSealed returns the next values after the given key, except those that begin with
// except.
func (s *DB) readSealed(ctx context.Context, c sealedColumn, after any, except []byte) ([]*sealedValue, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	batch, err := s.scanSealed(ctx, c, after, except)
	return batch, s.explain(ctx, "read sealed values", err)
}

func (s *DB) scanSealed(ctx context.Context, c sealedColumn, after any, except []byte) ([]*sealedValue, error) {
	args, filter := []any{batchRows}, ""
	if len(except) > 0 {
		args, filter = append(args, len(except), except), " AND substr({column}, 1, $2) <> $3"
	}
	if after != nil {
		args = append(args, after)
		filter += fmt.Sprintf(" AND {key} > $%d", len(args))
	}
	rows, err := s.reader.QueryContext(ctx, c.expand(`SELECT {key}, {column} FROM {table}
		WHERE {column} IS NOT NULL`+filter+` ORDER BY {key} LIMIT $1`), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []*sealedValue
	for size := 0; size < batchBytes && rows.Next(); {
		v := &sealedValue{}
		if err := rows.Scan(&v.key, &v.old); err != nil {
			return nil, err
		}
		size += len(v.old)
		batch = append(batch, v)
	}
	return batch, rows.Err()
}
