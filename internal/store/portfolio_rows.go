package store

import (
	"context"

	"casbroker/internal/statement"
)

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
