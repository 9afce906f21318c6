package store

import (
	"fmt"
	"strings"
)

// table is one of the tables that a portfolio consists of. The INSERT statements of
// both dialects derive from it.
type table struct {
	name    string
	columns []column // the first one is the portfolio's id
	rows    func(p *sealedPortfolio) int
	// values appends the values of row i to list, one for each column. Tables with many
	// rows have pointers into p, since a value in an interface would be allocated.
	values func(p *sealedPortfolio, i int, list []any) []any
}

type column struct {
	name string
	kind columnKind
}

// columnKind is the type of a column in an array of PostgreSQL.
type columnKind int

const (
	scalar  columnKind = iota // never in an array
	text                      // a string
	integer                   // an int
	amount                    // a decimal.NullDecimal: TEXT in SQLite, NUMERIC in PostgreSQL
)

var (
	portfolioTable = table{
		name: "portfolios",
		columns: []column{
			{"id", scalar}, {"subject", scalar}, {"fingerprint", scalar}, {"provenance", scalar}, {"cas_type", scalar},
			{"period_from", scalar}, {"period_to", scalar}, {"private", scalar}, {"total_value", scalar},
			{"received_rows", scalar}, {"stored_rows", scalar}, {"findings", scalar}, {"saved_ms", scalar},
			{"owner", scalar}, {"active", scalar}, {"pan_marks", scalar}, {"transactions", scalar},
			{"observed_ms", scalar}, {"differs", scalar}, {"accounts", scalar}, {"account_details", scalar}, {"of_other", scalar},
		},
		rows: func(*sealedPortfolio) int { return 1 },
		values: func(p *sealedPortfolio, _ int, list []any) []any {
			return append(list, p.ID, p.Subject, p.fingerprint, string(p.Provenance), string(p.CASType), p.from, p.to, p.private,
				p.TotalValue.String(), p.ReceivedRows, p.StoredRows, p.findings, millis(p.SavedAt), p.Owner, boolInt(p.Active),
				p.panHashes, len(p.transactions), optionalMillis(p.ObservedAt), boolInt(p.Differs),
				p.links, p.details, boolInt(p.OfOther))
		},
	}
	payloadTable = table{
		name:    "payloads",
		columns: []column{{"portfolio", scalar}, {"sealed", scalar}},
		rows:    func(*sealedPortfolio) int { return 1 },
		values:  func(p *sealedPortfolio, _ int, list []any) []any { return append(list, p.ID, p.payload) },
	}
	holdingTable = table{
		name: "holdings",
		columns: []column{
			{"portfolio", scalar}, {"seq", integer}, {"class", text}, {"isin", text}, {"name", text}, {"account", integer},
			{"institution", text}, {"category", text}, {"units", amount}, {"price", amount}, {"value", amount}, {"cost", amount},
			{"gain", amount}, {"sum_assured", amount},
		},
		rows: func(p *sealedPortfolio) int { return len(p.holdings) },
		values: func(p *sealedPortfolio, i int, list []any) []any {
			h := &p.holdings[i]
			return append(list, p.ID, h.Seq, string(h.Class), h.ISIN, h.Name, p.accountOf[i], h.Institution, h.Category,
				&h.Units, &h.Price, &h.Value, &h.Cost, &h.Gain, &h.SumAssured)
		},
	}
	transactionTable = table{
		name: "transactions",
		columns: []column{
			{"portfolio", scalar}, {"seq", integer}, {"holding", integer}, {"date", text}, {"type", text},
			{"units", amount}, {"nav", amount}, {"amount", amount}, {"balance", amount},
		},
		rows: func(p *sealedPortfolio) int { return len(p.transactions) },
		values: func(p *sealedPortfolio, i int, list []any) []any {
			t := &p.transactions[i]
			return append(list, p.ID, &t.Seq, &t.Holding, &t.Date, &t.Type,
				&t.Units, &t.NAV, &t.Amount, &t.Balance)
		},
	}
)

// portfolioTables lists the tables of a portfolio in the order in which they refer to
// one another.
var portfolioTables = []*table{&portfolioTable, &payloadTable, &holdingTable, &transactionTable}

// names returns the names of columns, separated by commas.
func names(columns []column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return strings.Join(list, ", ")
}

// insertInto returns the beginning of an INSERT statement for all columns of t.
func (t *table) insertInto() string { return "INSERT INTO " + t.name + " (" + names(t.columns) + ") " }

// placeholders returns n numbered placeholders: "$3, $4" for first 3 and n 2.
func placeholders(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(list, ", ")
}
