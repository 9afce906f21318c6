package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// chunkRows is how many rows one statement inserts. With more, SQLite spends more
// time on finding the parameters than it saves on statements.
const chunkRows = 10

// inserter inserts many rows within the transaction of a group. It calls the driver itself:
// database/sql would copy each value twice, which adds up to more memory than a large
// statement has. Only the group's goroutine uses it.
type inserter struct {
	conn *sql.Conn // of the transaction
	row  []any
	args []driver.NamedValue // of the next statement
}

// begin makes in work in the transaction of conn.
func (in *inserter) begin(conn *sql.Conn) { in.conn = conn }

func (in *inserter) end() { *in = inserter{row: in.row[:0], args: in.args[:0]} }

// insert is the dialect's insert. It formats amounts a few rows at a time, since all
// of them at once need much memory.
func (in *inserter) insert(ctx context.Context, _ *sql.Tx, p *sealedPortfolio) error {
	for _, t := range portfolioTables {
		if err := in.insertRows(ctx, t, p); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, err)
		}
	}
	return nil
}

func (in *inserter) insertRows(ctx context.Context, t *table, p *sealedPortfolio) error {
	row := "(" + strings.Repeat("?,", len(t.columns)-1) + "?)"
	single := t.insertInto() + "VALUES " + row
	many := single + strings.Repeat(","+row, chunkRows-1)
	n := t.rows(p)
	for first := 0; first < n; {
		query, size := single, 1
		if n-first >= chunkRows {
			query, size = many, chunkRows
		}
		in.args = in.args[:0]
		for i := range size {
			in.row = t.values(p, first+i, in.row[:0])
			in.bind(in.row)
		}
		if err := in.exec(ctx, query); err != nil {
			return err
		}
		first += size
	}
	return nil
}

// bind appends values to the arguments of the next statement.
func (in *inserter) bind(values []any) {
	for _, v := range values {
		in.args = append(in.args, driver.NamedValue{Ordinal: len(in.args) + 1, Value: driverValue(v)})
	}
}

// driverValue returns v in a type that the driver takes.
func driverValue(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case *int:
		return int64(*v)
	case *string:
		return *v
	case *decimal.NullDecimal:
		if v.Valid {
			return v.Decimal.String()
		}
		return nil
	default:
		return v
	}
}

// exec runs query with the bound arguments.
func (in *inserter) exec(ctx context.Context, query string) error {
	return in.conn.Raw(func(conn any) error {
		c, ok := conn.(driver.ExecerContext)
		if !ok {
			return errDriver
		}
		_, err := c.ExecContext(ctx, query, in.args)
		return err
	})
}
