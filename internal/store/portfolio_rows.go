package store

import (
	"context"
	"slices"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// holdings reads up to limit holdings of p, beginning with number first.
func (s *DB) holdings(ctx context.Context, p openedPortfolio, first, limit int) ([]statement.Holding, error) {
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
		h.AccountIndex = slices.IndexFunc(p.Accounts, func(a portfolio.ListedAccount) bool {
			return a.Number == h.Account && a.Institution == h.Institution
		})
		list = append(list, h)
	}
	return list, rows.Err()
}

// Transactions reads up to limit transactions of a portfolio, beginning with number
// first, and only those of one holding unless that is portfolio.AllHoldings. It returns
// portfolio.ErrNotFound if the subject has no such portfolio.
func (s *DB) Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var exists int
	err := s.reader.QueryRowContext(ctx, `SELECT 1 FROM portfolios WHERE id = $1 AND subject = $2`, id, subject).Scan(&exists)
	if err != nil {
		return nil, s.notFound(ctx, "find portfolio", err)
	}
	list, err := s.transactions(ctx, id, holding, first, limit)
	return list, s.explain(ctx, "read transactions", err)
}

func (s *DB) transactions(ctx context.Context, id string, holding, first, limit int) ([]statement.Transaction, error) {
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
