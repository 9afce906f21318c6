package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store/packed"
)

// sealedRows are the holdings or the transactions of a portfolio as they are stored. One of
// the two is nil.
type sealedRows struct {
	packed  []byte
	payload []byte // of a portfolio whose rows are not packed yet
}

// rowsOf returns the columns of a query that sealedRows are scanned from; the query must join
// the table as r. All is one statement, so that a read during a delete finds everything or
// nothing.
const rowColumns = `r.sealed, CASE WHEN r.sealed IS NULL THEN (SELECT sealed FROM payloads WHERE payloads.portfolio = id) END`

const (
	withHoldings     = rowColumns + ` FROM portfolios LEFT JOIN packed_holdings r ON r.portfolio = id `
	withTransactions = rowColumns + ` FROM portfolios LEFT JOIN packed_transactions r ON r.portfolio = id `
)

// openRows decrypts the holdings of a portfolio with their accounts. It returns
// portfolio.ErrUnreadable if they cannot be decrypted.
func (s *DB) openRows(portfolioID string, rows sealedRows, savedAt time.Time) (portfolio.Rows, error) {
	if rows.packed == nil {
		st, err := s.parseAgain(portfolioID, rows.payload, savedAt)
		if err != nil {
			return portfolio.Rows{}, err
		}
		return portfolio.Rows{Accounts: st.Accounts, Holdings: st.Holdings}, nil
	}
	plain, err := s.openCompressed(holdingsData(portfolioID), rows.packed)
	if err != nil {
		return portfolio.Rows{}, err
	}
	accounts, holdings, err := packed.ReadHoldings(plain)
	if err != nil {
		return portfolio.Rows{}, portfolio.ErrUnreadable.Because(fmt.Errorf("holdings of %s: %w", portfolioID, err))
	}
	return portfolio.Rows{Accounts: accounts, Holdings: holdings}, nil
}

// parseAgain parses the sealed payload of a portfolio. It returns portfolio.ErrUnreadable if
// that is not possible.
func (s *DB) parseAgain(portfolioID string, sealed []byte, savedAt time.Time) (*statement.Statement, error) {
	payload, err := s.openCompressed(payloadData(portfolioID), sealed)
	if err != nil {
		return nil, err
	}
	st, err := statement.ParseSaved(payload, savedAt)
	if err != nil {
		return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("parse the payload of %s again: %w", portfolioID, err))
	}
	return st, nil
}

// Rows returns the holdings and accounts of those portfolios of subject that are in ids, by
// their ids, as they were at one moment. A portfolio that the subject does not have, or no
// longer, is left out. It returns portfolio.ErrUnreadable if one cannot be decrypted.
func (s *DB) Rows(ctx context.Context, subject string, ids []string) (map[string]portfolio.Rows, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	found, err := s.rows(ctx, subject, ids)
	return found, s.explain(ctx, "read rows", err)
}

func (s *DB) rows(ctx context.Context, subject string, ids []string) (map[string]portfolio.Rows, error) {
	found := make(map[string]portfolio.Rows, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	args := []any{subject}
	for _, id := range ids {
		args = append(args, id)
	}
	query := `SELECT id, saved_ms, ` + withHoldings + `WHERE subject = $1 AND id IN (` + placeholders(2, len(ids)) + `)` //nolint:gosec // no values
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var savedMS int64
		var sealed sealedRows
		if err := rows.Scan(&id, &savedMS, &sealed.packed, &sealed.payload); err != nil {
			return nil, err
		}
		if found[id], err = s.openRows(id, sealed, instant(savedMS)); err != nil {
			return nil, err
		}
	}
	return found, rows.Err()
}

// placeholders returns n numbered placeholders: "$3, $4" for first 3 and n 2.
func placeholders(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(list, ", ")
}

// Transactions returns up to limit transactions of a portfolio, beginning with number
// first, and only those of one holding unless that is portfolio.AllHoldings. It returns
// portfolio.ErrNotFound if the subject has no such portfolio, and portfolio.ErrUnreadable if
// they cannot be decrypted.
func (s *DB) Transactions(ctx context.Context, subject, id string, holding, first, limit int) ([]statement.Transaction, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var sealed sealedRows
	var savedMS int64
	err := s.reader.QueryRowContext(ctx, `SELECT saved_ms, `+withTransactions+`WHERE id = $1 AND subject = $2`, id, subject).
		Scan(&savedMS, &sealed.packed, &sealed.payload)
	if err != nil {
		return nil, s.notFound(ctx, "read transactions", err)
	}
	each, err := s.openTransactions(id, sealed, instant(savedMS))
	if err != nil {
		return nil, err
	}
	var list []statement.Transaction
	err = each(first, func(t *statement.Transaction) bool {
		switch {
		case holding == portfolio.AllHoldings || t.Holding == holding:
			list = append(list, *t)
		case t.Holding > holding:
			return false
		}
		return len(list) < limit
	})
	return list, err
}

// openTransactions decrypts the transactions of a portfolio. It returns
// portfolio.ErrUnreadable if they cannot be decrypted.
func (s *DB) openTransactions(portfolioID string, sealed sealedRows, savedAt time.Time) (portfolio.EachTransaction, error) {
	if sealed.packed == nil {
		st, err := s.parseAgain(portfolioID, sealed.payload, savedAt)
		if err != nil {
			return nil, err
		}
		return func(first int, yield func(*statement.Transaction) bool) error {
			for i := first; i < len(st.Transactions); i++ {
				if !yield(&st.Transactions[i]) {
					break
				}
			}
			return nil
		}, nil
	}
	plain, err := s.openCompressed(transactionsData(portfolioID), sealed.packed)
	if err != nil {
		return nil, err
	}
	return func(first int, yield func(*statement.Transaction) bool) error {
		if err := packed.ReadTransactions(plain, first, yield); err != nil {
			return portfolio.ErrUnreadable.Because(fmt.Errorf("transactions of %s: %w", portfolioID, err))
		}
		return nil
	}, nil
}

// page returns up to limit of holdings, beginning with number first.
func page(holdings []statement.Holding, first, limit int) []statement.Holding {
	first = min(first, len(holdings))
	return slices.Clip(holdings[first : first+min(limit, len(holdings)-first)])
}
