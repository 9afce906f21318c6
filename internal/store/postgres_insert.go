package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"casbroker/internal/statement"
)

// chunkTransactions is how many transactions go in with one statement: those of
// nearly every portfolio. The driver holds all values of a statement twice, which
// is much for the largest.
const chunkTransactions = 1000

// insertTransactions has one array for each column.
const insertTransactions = `INSERT INTO transactions (` + transactionFilled + `)
	SELECT $1, * FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[])`

// insertWhole writes a portfolio and all that hangs on it in one round trip.
const insertWhole = `WITH
	portfolio AS (
		INSERT INTO portfolios (` + portfolioFilled + `)
		VALUES ($1, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)),
	payload AS (
		INSERT INTO payloads (portfolio, sealed) VALUES ($1, $26)),
	holding AS (
		INSERT INTO holdings (` + holdingFilled + `)
		SELECT $1, * FROM unnest($27::int[], $28::text[], $29::text[], $30::text[], $31::int[], $32::text[], $33::text[],
			$34::numeric[], $35::numeric[], $36::numeric[], $37::numeric[], $38::numeric[], $39::numeric[]))
	` + insertTransactions

func postgresInsert(ctx context.Context, tx *sql.Tx, row *sealed) error {
	var arrays [8]array // whose room all chunks share
	n := min(chunkTransactions, len(row.transactions))
	args := append([]any{row.ID}, transactionArrays(&arrays, row.transactions[:n])...)
	args = append(append(args, row.values()[1:]...), row.payload)
	if _, err := tx.ExecContext(ctx, insertWhole, append(args, holdingArrays(row)...)...); err != nil {
		return fmt.Errorf("insert portfolio: %w", err)
	}
	for chunk := range slices.Chunk(row.transactions[n:], chunkTransactions) {
		args := append([]any{row.ID}, transactionArrays(&arrays, chunk)...)
		if _, err := tx.ExecContext(ctx, insertTransactions, args...); err != nil {
			return fmt.Errorf("insert transactions: %w", err)
		}
	}
	return nil
}

func holdingArrays(row *sealed) []any {
	var a [13]array
	for i := range row.holdings {
		h := &row.holdings[i]
		a[0].number(h.Seq)
		a[1].text(string(h.Class))
		a[2].text(h.ISIN)
		a[3].text(h.Name)
		a[4].number(row.accountOf[i])
		a[5].text(h.Institution)
		a[6].text(h.Category)
		a[7].amount(h.Units)
		a[8].amount(h.Price)
		a[9].amount(h.Value)
		a[10].amount(h.Cost)
		a[11].amount(h.Gain)
		a[12].amount(h.SumAssured)
	}
	return literals(a[:])
}

func transactionArrays(a *[8]array, transactions []statement.Transaction) []any {
	for i := range transactions {
		t := &transactions[i]
		a[0].number(t.Seq)
		a[1].number(t.Holding)
		a[2].text(t.Date)
		a[3].text(t.Type)
		a[4].amount(t.Units)
		a[5].amount(t.NAV)
		a[6].amount(t.Amount)
		a[7].amount(t.Balance)
	}
	return literals(a[:])
}

// array is a column written out as PostgreSQL reads an array: amounts stay exact,
// and the driver has no value to convert by itself.
type array []byte

func (a *array) number(n int) { *a = append(strconv.AppendInt(*a, int64(n), 10), ',') }

func (a *array) amount(d decimal.NullDecimal) {
	if d.Valid {
		*a = append(append(*a, d.Decimal.String()...), ',')
	} else {
		*a = append(*a, "NULL,"...)
	}
}

func (a *array) text(s string) {
	*a = append(*a, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			*a = append(*a, '\\')
		}
		*a = append(*a, s[i])
	}
	*a = append(*a, '"', ',')
}

// literals returns the arrays as they are sent, and empties them.
func literals(arrays []array) []any {
	list := make([]any, len(arrays))
	for i, a := range arrays {
		list[i] = "{" + string(bytes.TrimSuffix(a, []byte{','})) + "}"
		arrays[i] = a[:0]
	}
	return list
}
