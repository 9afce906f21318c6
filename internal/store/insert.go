package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// table is one of the tables that a portfolio consists of. The INSERT statements derive
// from it.
type table struct {
	name    string
	columns []string
	values  func(p *sealedPortfolio) []any // one for each column
}

// portfolioTables lists the tables of a portfolio in the order in which they refer to
// one another.
var portfolioTables = []*table{
	{
		name: "portfolios",
		columns: []string{
			"id", "subject", "fingerprint", "provenance", "cas_type", "period_from", "period_to", "private", "total_value",
			"received_rows", "stored_rows", "findings", "saved_ms", "owner", "active", "pan_marks", "transactions",
			"observed_ms", "differs", "accounts", "account_details", "of_other",
		},
		values: func(p *sealedPortfolio) []any {
			return []any{
				p.ID, p.Subject, p.fingerprint, string(p.Provenance), string(p.CASType), p.from, p.to, p.private, sealedTotal,
				p.ReceivedRows, p.StoredRows, p.findings, millis(p.SavedAt), p.Owner, boolInt(p.Active), p.panHashes, p.TransactionCount,
				optionalMillis(p.ObservedAt), boolInt(p.Differs), p.links, p.details, boolInt(p.OfOther),
			}
		},
	},
	sealedTable("payloads", func(p *sealedPortfolio) []byte { return p.payload }),
	sealedTable("packed_holdings", func(p *sealedPortfolio) []byte { return p.holdings }),
	sealedTable("packed_transactions", func(p *sealedPortfolio) []byte { return p.transactions }),
}

// sealedTotal is in the column total_value, whose amount is among the private fields. Only
// earlier releases wrote it there.
const sealedTotal = "0"

// sealedTable returns a table with one sealed value for each portfolio.
func sealedTable(name string, value func(p *sealedPortfolio) []byte) *table {
	return &table{name, []string{"portfolio", "sealed"}, func(p *sealedPortfolio) []any { return []any{p.ID, value(p)} }}
}

// insertInto returns an INSERT statement whose first placeholder has the number first.
func (t *table) insertInto(first int) string {
	list := make([]string, len(t.columns))
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES (" + strings.Join(list, ", ") + ")"
}

// insertTogether is one statement that inserts into all tables, in one round trip. SQLite
// does not have such statements.
var insertTogether = func() string {
	var b strings.Builder
	next := 1
	for i, t := range portfolioTables {
		switch {
		case i == 0:
			b.WriteString("WITH ")
		case i < len(portfolioTables)-1:
			b.WriteString(", ")
		}
		if i < len(portfolioTables)-1 {
			fmt.Fprintf(&b, "insert_%s AS (%s)", t.name, t.insertInto(next))
		} else {
			b.WriteString(" " + t.insertInto(next))
		}
		next += len(t.columns)
	}
	return b.String()
}()

// insert inserts a new portfolio.
func (s *DB) insert(ctx context.Context, tx *sql.Tx, p *sealedPortfolio) error {
	if s.dialect.together {
		var args []any
		for _, t := range portfolioTables {
			args = append(args, t.values(p)...)
		}
		if _, err := tx.ExecContext(ctx, insertTogether, args...); err != nil {
			return fmt.Errorf("insert portfolio: %w", err)
		}
		return nil
	}
	for _, t := range portfolioTables {
		if _, err := tx.ExecContext(ctx, t.insertInto(1), t.values(p)...); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, err)
		}
	}
	return nil
}
