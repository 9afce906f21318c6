package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
)

// Rows returns the holdings and accounts of those portfolios of subject that are in ids, by
// their ids. It returns portfolio.ErrUnreadable if one cannot be decrypted.
func (s *DB) Rows(ctx context.Context, subject string, ids []string) (map[string]portfolio.Rows, error) {
	found := make(map[string]portfolio.Rows, len(ids))
	for _, id := range ids {
		payload, err := s.Payload(ctx, subject, id)
		switch {
		case errors.Is(err, portfolio.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		st, err := statement.Parse(payload, time.Now())
		if err != nil {
			return nil, portfolio.ErrUnreadable.Because(fmt.Errorf("parse the payload of %s again: %w", id, err))
		}
		found[id] = portfolio.Rows{Accounts: st.Accounts, Holdings: st.Holdings}
	}
	return found, nil
}
