package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"casbroker/internal/portfolio"
)

// AccountMetadata describes up to limit accounts of subject, those seen last first, and counts
// all of them. It reads nothing that is sealed.
func (s *DB) AccountMetadata(ctx context.Context, subject string, limit int) (list []portfolio.AccountMetadata, all int, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	accounts, err := s.accountMetadata(ctx, subject)
	if err != nil {
		return nil, 0, s.explain(ctx, "describe accounts", err)
	}
	for _, a := range accounts {
		list = append(list, *a)
	}
	slices.SortFunc(list, func(a, b portfolio.AccountMetadata) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), a.Owner-b.Owner, cmp.Compare(a.ID, b.ID))
	})
	return list[:min(limit, len(list))], len(list), nil
}

func (s *DB) accountMetadata(ctx context.Context, subject string) (map[[16]byte]*portfolio.AccountMetadata, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT accounts, saved_ms FROM portfolios WHERE subject = $1 AND accounts IS NOT NULL
		ORDER BY period_to, saved_ms, id`, subject)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	accounts := map[[16]byte]*portfolio.AccountMetadata{}
	for rows.Next() {
		var packed []byte
		var savedMS int64
		if err := rows.Scan(&packed, &savedMS); err != nil {
			return nil, err
		}
		links, err := unpackLinks(packed)
		if err != nil {
			return nil, fmt.Errorf("accounts of a portfolio: %w", err)
		}
		saved := instant(savedMS)
		for _, link := range links.accounts {
			a := accounts[link.id]
			if a == nil {
				a = &portfolio.AccountMetadata{ID: link.publicID(), Kind: link.kind}
				accounts[link.id] = a
			}
			a.Owner = link.owner // of the latest statement
			a.Statements++
			a.FirstSeen, a.LastSeen = widen(a.FirstSeen, a.LastSeen, saved)
		}
	}
	return accounts, rows.Err()
}

// widen returns the time from first to last with at in it. Zero times are none yet.
func widen(first, last, at time.Time) (from, to time.Time) {
	if first.IsZero() || at.Before(first) {
		first = at
	}
	if at.After(last) {
		last = at
	}
	return first, last
}
