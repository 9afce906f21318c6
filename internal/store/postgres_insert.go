package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// chunkTransactions is how many transactions one statement inserts: all those of
// nearly every portfolio. The driver holds each value of a statement twice, which
// needs much memory for the largest portfolios.
const chunkTransactions = 1000

// insertPortfolio inserts a portfolio with its payload, its holdings and its first
// transactions in one round trip. $1 is the portfolio's id. The driver keeps the
// statement prepared.
var insertPortfolio = func() string {
	next := 2 // the next placeholder
	values := func(t *table) string {
		n := len(t.columns) - 1
		query := t.insertInto() + "VALUES ($1, " + placeholders(next, n) + ")"
		next += n
		return query
	}
	arrays := func(t *table) string {
		query := t.insertArrays(next)
		next += len(t.columns) - 1
		return query
	}
	return "WITH portfolio AS (" + values(&portfolioTable) + "), payload AS (" + values(&payloadTable) +
		"), holding AS (" + arrays(&holdingTable) + ") " + arrays(&transactionTable)
}()

var insertTransactions = transactionTable.insertArrays(2)

// insertArrays returns an INSERT statement whose rows come from one array for each
// column, the first of which is placeholder first. $1 is the portfolio's id.
func (t *table) insertArrays(first int) string {
	kinds := map[columnKind]string{text: "text", integer: "int", amount: "numeric"}
	arrays := make([]string, 0, len(t.columns))
	for i, c := range t.columns[1:] {
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", first+i, kinds[c.kind]))
	}
	return t.insertInto() + "SELECT $1, * FROM unnest(" + strings.Join(arrays, ", ") + ")"
}

func postgresInsert(ctx context.Context, tx *sql.Tx, p *sealedPortfolio) error {
	var buffers [][]byte // shared by all chunks
	n := min(chunkTransactions, len(p.transactions))
	args := portfolioTable.values(p, 0, nil)
	args = append(args, payloadTable.values(p, 0, nil)[1:]...)
	args = append(args, holdingTable.arrays(p, 0, len(p.holdings), &buffers)...)
	args = append(args, transactionTable.arrays(p, 0, n, &buffers)...)
	if _, err := tx.ExecContext(ctx, insertPortfolio, args...); err != nil {
		return fmt.Errorf("insert portfolio: %w", err)
	}
	for first := n; first < len(p.transactions); first += chunkTransactions {
		n := min(chunkTransactions, len(p.transactions)-first)
		args := append([]any{p.ID}, transactionTable.arrays(p, first, n, &buffers)...)
		if _, err := tx.ExecContext(ctx, insertTransactions, args...); err != nil {
			return fmt.Errorf("insert transactions: %w", err)
		}
	}
	return nil
}

// arrays returns n rows of t from row first on as the literal of one array for each
// column except the portfolio's id. It builds them in buffers.
func (t *table) arrays(p *sealedPortfolio, first, n int, buffers *[][]byte) []any {
	columns := t.columns[1:]
	if len(*buffers) < len(columns) {
		*buffers = append(*buffers, make([][]byte, len(columns)-len(*buffers))...)
	}
	literals := (*buffers)[:len(columns)]
	for j := range literals {
		literals[j] = append(literals[j][:0], '{')
	}
	var row []any
	for i := range n {
		row = t.values(p, first+i, row[:0])
		for j, value := range row[1:] {
			literals[j] = appendElement(literals[j], value)
		}
	}
	args := make([]any, len(literals))
	for j, literal := range literals {
		args[j] = string(bytes.TrimSuffix(literal, []byte{','})) + "}"
	}
	return args
}

// appendElement appends an element of an array literal and a comma to b.
func appendElement(b []byte, value any) []byte {
	switch value := value.(type) {
	case int:
		b = strconv.AppendInt(b, int64(value), 10)
	case *int:
		b = strconv.AppendInt(b, int64(*value), 10)
	case string:
		b = appendQuoted(b, value)
	case *string:
		b = appendQuoted(b, *value)
	case *decimal.NullDecimal:
		if value.Valid {
			b = append(b, value.Decimal.String()...)
		} else {
			b = append(b, "NULL"...)
		}
	}
	return append(b, ',')
}

// appendQuoted appends text as a quoted element of an array literal.
func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}
