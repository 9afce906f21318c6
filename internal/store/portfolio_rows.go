package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"casbroker/internal/statement"
)

const (
	// chunkRows is how many holdings go in with one statement. SQLite looks for the
	// name of each parameter among all others, so many more are slower, not faster.
	chunkRows      = 50
	holdingColumns = `portfolio, seq, class, isin, name, account, institution, category,
		units, price, value, cost, gain, sum_assured`
)

func (s *DB) insertRows(ctx context.Context, tx *sql.Tx, row sealed) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO payloads (portfolio, sealed) VALUES ($1, $2)`, row.id, row.payload)
	if err != nil {
		return fmt.Errorf("insert payload: %w", err)
	}
	for first := 0; first < len(row.holdings); first += chunkRows {
		chunk := row.holdings[first:min(first+chunkRows, len(row.holdings))]
		args := make([]any, 0, 14*len(chunk))
		for i, h := range chunk {
			args = append(args, row.id, h.Seq, string(h.Class), h.ISIN, h.Name, row.accountOf[first+i], h.Institution, h.Category,
				h.Units, h.Price, h.Value, h.Cost, h.Gain, h.SumAssured)
		}
		statement := `INSERT INTO holdings (` + holdingColumns + `) VALUES ` + places(len(chunk), 14) //nolint:gosec // only numbers are put together
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("insert holdings: %w", err)
		}
	}
	return nil
}

// places returns "($1,$2,…),($3,$4,…)…": the parameters of many rows.
func places(rows, columns int) string {
	var b strings.Builder
	b.Grow(rows * columns * 6)
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("),(")
		default:
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// holdings reads up to limit rows of p from number first on.
func (s *DB) holdings(ctx context.Context, p opened, first, limit int) ([]statement.Holding, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT seq, class, isin, name, account, institution, category,
		units, price, value, cost, gain, sum_assured
		FROM holdings WHERE portfolio = $1 AND seq >= $2 ORDER BY seq LIMIT $3`, p.ID, first, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list := make([]statement.Holding, 0, min(limit, p.StoredRows))
	for rows.Next() {
		var h statement.Holding
		var account int
		err := rows.Scan(&h.Seq, &h.Class, &h.ISIN, &h.Name, &account, &h.Institution, &h.Category,
			&h.Units, &h.Price, &h.Value, &h.Cost, &h.Gain, &h.SumAssured)
		if err != nil {
			return nil, err
		}
		if account >= 0 && account < len(p.accounts) {
			h.Account = p.accounts[account]
		}
		list = append(list, h)
	}
	return list, rows.Err()
}
