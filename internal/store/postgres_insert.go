package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
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
// column, the first of which is placeholder first. $1 is the portfolio's id. NULL is
// an empty string in the array of an amount.
func (t *table) insertArrays(first int) string {
	selected, arrays := make([]string, 0, len(t.columns)), make([]string, 0, len(t.columns))
	for i, c := range t.columns[1:] {
		expression, kind := c.name, "text"
		switch c.kind {
		case integer:
			kind = "int"
		case amount:
			expression = "NULLIF(" + c.name + ", '')::numeric"
		case scalar, text:
		}
		selected = append(selected, expression)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", first+i, kind))
	}
	return t.insertInto() + "SELECT $1, " + strings.Join(selected, ", ") +
		" FROM unnest(" + strings.Join(arrays, ", ") + ") AS rows (" + names(t.columns[1:]) + ")"
}

func postgresInsert(ctx context.Context, tx *sql.Tx, p *sealedPortfolio) error {
	n := min(chunkTransactions, len(p.transactions))
	args := portfolioTable.values(p, 0, nil)
	args = append(args, payloadTable.values(p, 0, nil)[1:]...)
	args = append(args, holdingTable.arrays(p, 0, len(p.holdings))...)
	args = append(args, transactionTable.arrays(p, 0, n)...)
	if _, err := tx.ExecContext(ctx, insertPortfolio, args...); err != nil {
		return fmt.Errorf("insert portfolio: %w", err)
	}
	for first := n; first < len(p.transactions); first += chunkTransactions {
		n := min(chunkTransactions, len(p.transactions)-first)
		args := append([]any{p.ID}, transactionTable.arrays(p, first, n)...)
		if _, err := tx.ExecContext(ctx, insertTransactions, args...); err != nil {
			return fmt.Errorf("insert transactions: %w", err)
		}
	}
	return nil
}

// arrays returns n rows of t from row first on as one slice for each column except
// the portfolio's id.
func (t *table) arrays(p *sealedPortfolio, first, n int) []any {
	lists := make([]any, len(t.columns)-1)
	for i, c := range t.columns[1:] {
		if c.kind == integer {
			lists[i] = make([]int, n)
		} else {
			lists[i] = make([]string, n)
		}
	}
	var row []any
	for i := range n {
		row = t.values(p, first+i, row[:0])
		for j, value := range row[1:] {
			switch list := lists[j].(type) {
			case []int:
				list[i], _ = value.(int)
			case []string:
				list[i], _ = value.(string) // "" for nil
			}
		}
	}
	return lists
}
