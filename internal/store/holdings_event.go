package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"casbroker/internal/portfolio"
	"casbroker/internal/webhook"
)

// changeEvents returns the event t about a portfolio, and that the holdings of its user have
// changed if changed is set.
func changeEvents(t webhook.Type, subject, id string, at time.Time, changed bool) []webhook.Event {
	events := []webhook.Event{portfolioEvent(t, subject, id, at)}
	if changed {
		events = append(events, portfolioEvent(webhook.HoldingsChanged, subject, id, at))
	}
	return events
}

// affectsHoldings reports whether subject would own something else without portfolio id. The
// caller must have locked the user.
func affectsHoldings(ctx context.Context, tx *sql.Tx, subject, id string) (bool, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, owner, accounts, cas_type, period_to, saved_ms, provenance, received_rows - stored_rows
		FROM portfolios WHERE subject = $1`, subject)
	if err != nil {
		return false, fmt.Errorf("read the accounts of portfolios: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var listings []listing
	for rows.Next() {
		var l listing
		var packed []byte
		var savedMS int64
		if err := rows.Scan(&l.PortfolioID, &l.Owner, &packed, &l.CASType, &l.To, &savedMS, &l.Provenance, &l.Rejected); err != nil {
			return false, err
		}
		if err := l.unpack(packed, savedMS); err != nil {
			return false, err
		}
		listings = append(listings, l)
	}
	slices.SortFunc(listings, func(a, b listing) int { return b.Compare(&a.AccountStatement) })
	accounts, statements := entriesOf(listings)
	return portfolio.Affects(accounts, statements, id), rows.Err()
}
