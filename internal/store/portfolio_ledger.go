package store

import (
	"context"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// Transactions reads up to limit transactions of a portfolio of subject from
// number first on, those of one holding if holding is not portfolio.AllHoldings.
// It returns portfolio.ErrNotFound when the subject has no such portfolio.
func (s *DB) Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var there int
	err := s.reader.QueryRowContext(ctx, `SELECT 1 FROM portfolios WHERE id = $1 AND subject = $2`, id, subject).Scan(&there)
	if err != nil {
		return nil, s.found(ctx, "find portfolio", err)
	}
	list, err := s.ledger(ctx, id, holding, first, limit)
	return list, s.explain(ctx, "read transactions", err)
}

func (s *DB) ledger(ctx context.Context, id string, holding, first, limit int) ([]statement.Transaction, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT seq, holding, date, type, units, nav, amount, balance FROM transactions
		WHERE portfolio = $1 AND seq >= $2 AND (holding = $3 OR $3 = $4) ORDER BY seq LIMIT $5`,
		id, first, holding, portfolio.AllHoldings, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []statement.Transaction
	for rows.Next() {
		var t statement.Transaction
		if err := rows.Scan(&t.Seq, &t.Holding, &t.Date, &t.Type, &t.Units, &t.NAV, &t.Amount, &t.Balance); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
