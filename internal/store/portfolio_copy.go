package store

import (
	"context"
	"errors"

	"casbroker/internal/portfolio"
)

// Copy returns everything that is stored of a portfolio, as it was at one moment. It returns
// portfolio.ErrNotFound if the subject has no such portfolio.
func (s *DB) Copy(ctx context.Context, subject, id string) (portfolio.Copy, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var payload, holdings, transactions []byte
	p, err := s.scanPortfolio(ctx, s.reader.QueryRowContext(ctx, `SELECT `+portfolioColumns+`, y.sealed, h.sealed, t.sealed
		FROM portfolios JOIN payloads y ON y.portfolio = id
		LEFT JOIN packed_holdings h ON h.portfolio = id
		LEFT JOIN packed_transactions t ON t.portfolio = id
		WHERE id = $1 AND subject = $2`, id, subject), &payload, &holdings, &transactions)
	if err != nil {
		return portfolio.Copy{}, s.notFound(ctx, "copy portfolio", err)
	}
	c, err := s.openCopy(p, payload, holdings, transactions)
	return c, s.explain(ctx, "copy portfolio", err)
}

// openCopy decrypts what it can.
func (s *DB) openCopy(p portfolio.Portfolio, payload, holdings, transactions []byte) (portfolio.Copy, error) {
	c := portfolio.Copy{Portfolio: p}
	plain, err1 := s.openCompressed(payloadData(p.ID), payload)
	rows, err2 := s.openRows(p.ID, sealedRows{holdings, payload}, p.SavedAt)
	each, err3 := s.openTransactions(p.ID, sealedRows{transactions, payload}, p.SavedAt)
	for _, err := range []error{err1, err2, err3} {
		switch {
		case errors.Is(err, portfolio.ErrUnreadable):
			c.Unreadable = true
		case err != nil:
			return portfolio.Copy{}, err
		}
	}
	c.Payload, c.Holdings, c.Transactions = plain, rows.Holdings, each
	return c, nil
}
