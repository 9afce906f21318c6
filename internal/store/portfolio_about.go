package store

import (
	"context"

	"casbroker/internal/portfolio"
)

// AboutPortfolios tells of up to limit portfolios of subject, newest first, and how
// many there are in all. It reads nothing that is sealed.
func (s *DB) AboutPortfolios(ctx context.Context, subject string, limit int) (list []portfolio.About, all int, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err = s.aboutPortfolios(ctx, subject, limit)
	if err == nil {
		err = s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM portfolios WHERE subject = $1`, subject).Scan(&all)
	}
	return list, all, s.explain(ctx, "tell of portfolios", err)
}

func (s *DB) aboutPortfolios(ctx context.Context, subject string, limit int) ([]portfolio.About, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT id, saved_ms, provenance, cas_type, period_from, period_to, owner, active,
		stored_rows, received_rows - stored_rows, transactions
		FROM portfolios WHERE subject = $1 ORDER BY saved_ms DESC, id DESC LIMIT $2`, subject, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []portfolio.About
	for rows.Next() {
		var a portfolio.About
		var savedMS int64
		var active int
		err := rows.Scan(&a.ID, &savedMS, &a.Provenance, &a.CASType, &a.Period.From, &a.Period.To, &a.Owner, &active,
			&a.Holdings, &a.Rejected, &a.Transactions)
		if err != nil {
			return nil, err
		}
		a.SavedAt, a.Active = instant(savedMS), active == 1
		list = append(list, a)
	}
	return list, rows.Err()
}
