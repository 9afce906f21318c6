package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// chunkRows is how many rows go in with one statement. Beyond that, finding the
// parameters costs more than the statements do that are saved.
const chunkRows = 10

// prepared writes many rows within the transaction of a group. It speaks to the
// driver itself: database/sql would copy each value twice on its way, which adds up
// to more than a large statement. Only the group uses it.
type prepared struct {
	conn       *sql.Conn // that has the transaction
	statements map[string]reusable
	args       []driver.NamedValue // of the next statement
}

// reusable is a statement that the driver has prepared.
type reusable interface {
	driver.Stmt
	driver.StmtExecContext
}

var errDriver = errors.New("sqlite: this driver cannot do what is asked of it")

// begin has p work in the transaction that conn has.
func (p *prepared) begin(conn *sql.Conn) {
	p.conn, p.statements, p.args = conn, map[string]reusable{}, p.args[:0]
}

// end has to come before the transaction's.
func (p *prepared) end() {
	_ = p.conn.Raw(func(any) error { // without a connection there are no statements either
		for _, ready := range p.statements {
			_ = ready.Close()
		}
		return nil
	})
	*p = prepared{args: p.args[:0]}
}

// insert is the dialect's. Amounts are written out a few rows at a time, for all of
// them at once are much.
func (p *prepared) insert(ctx context.Context, _ *sql.Tx, row *sealed) error {
	id := any(row.ID)
	for _, table := range []struct {
		name, columns string
		rows          int
		put           func(i int)
	}{
		{"portfolios", portfolioFilled, 1, func(int) { p.put(row.values()...) }},
		{"payloads", "portfolio, sealed", 1, func(int) { p.put(id, row.payload) }},
		{"holdings", holdingFilled, len(row.holdings), func(i int) {
			h := &row.holdings[i]
			p.put(id, h.Seq, string(h.Class), h.ISIN, h.Name, row.accountOf[i], h.Institution, h.Category,
				text(h.Units), text(h.Price), text(h.Value), text(h.Cost), text(h.Gain), text(h.SumAssured))
		}},
		{"transactions", transactionFilled, len(row.transactions), func(i int) {
			t := &row.transactions[i]
			p.put(id, t.Seq, t.Holding, t.Date, t.Type, text(t.Units), text(t.NAV), text(t.Amount), text(t.Balance))
		}},
	} {
		if err := p.rows(ctx, table.name, table.columns, table.rows, table.put); err != nil {
			return fmt.Errorf("insert into %s: %w", table.name, err)
		}
	}
	return nil
}

// rows writes n rows into table, each of which put gives the values of.
func (p *prepared) rows(ctx context.Context, table, columns string, n int, put func(i int)) error {
	one := "(" + strings.Repeat("?,", strings.Count(columns, ",")) + "?)"
	single := "INSERT INTO " + table + " (" + columns + ") VALUES " + one
	many := single + strings.Repeat(","+one, chunkRows-1)
	for first := 0; first < n; {
		query, size := single, 1
		if n-first >= chunkRows {
			query, size = many, chunkRows
		}
		p.args = p.args[:0]
		for i := range size {
			put(first + i)
		}
		if err := p.exec(ctx, query); err != nil {
			return err
		}
		first += size
	}
	return nil
}

// put adds values to those of the next statement.
func (p *prepared) put(values ...any) {
	for _, v := range values {
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		p.args = append(p.args, driver.NamedValue{Ordinal: len(p.args) + 1, Value: v})
	}
}

// exec runs query with the values that were put in.
func (p *prepared) exec(ctx context.Context, query string) error {
	return p.conn.Raw(func(conn any) error {
		ready, err := p.prepare(ctx, conn, query)
		if err == nil {
			_, err = ready.ExecContext(ctx, p.args)
		}
		return err
	})
}

func (p *prepared) prepare(ctx context.Context, conn any, query string) (reusable, error) {
	if ready := p.statements[query]; ready != nil {
		return ready, nil
	}
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errDriver
	}
	made, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	ready, ok := made.(reusable)
	if !ok {
		return nil, errors.Join(errDriver, made.Close())
	}
	p.statements[query] = ready
	return ready, nil
}

// text is an amount as SQLite keeps it: its own decimals are floats.
func text(d decimal.NullDecimal) any {
	if !d.Valid {
		return nil
	}
	return d.Decimal.String()
}
