package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// schema returns "kind" or "kind NOT NULL" for each "table.column" of a migrated database.
// The kind is the dialect's type, or its counterpart in the other dialect.
func schema(t *testing.T, url, query string) map[string]string {
	t.Helper()
	storetest.Open(t, url, storetest.NewBox(t))
	rows, err := storetest.SQL(t, url).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	kinds := map[string]string{
		"INTEGER": "integer", "BIGINT": "integer", "TEXT": "text", "NUMERIC": "text", "BLOB": "bytes", "BYTEA": "bytes",
	}
	columns := map[string]string{}
	for rows.Next() {
		var table, column, kind string
		var notNull bool
		if err := rows.Scan(&table, &column, &kind, &notNull); err != nil {
			t.Fatal(err)
		}
		if table == "goose_db_version" { // the migration library's own
			continue
		}
		known := kinds[strings.ToUpper(kind)]
		if known == "" {
			t.Errorf("%s.%s has the type %q, which this test does not know", table, column, kind)
		}
		if notNull {
			known += " NOT NULL"
		}
		columns[table+"."+column] = known
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

const (
	sqliteSchema = `SELECT m.name, c.name, c.type, c."notnull" = 1 OR c.pk > 0
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	postgresSchema = `SELECT table_name, column_name, data_type, is_nullable = 'NO'
		FROM information_schema.columns WHERE table_schema = 'public'`
)

func TestMigrationsOfBothDialectsEndInTheSameTablesAndColumns(t *testing.T) {
	t.Parallel()
	sqlite := schema(t, storetest.SQLite(t), sqliteSchema)
	postgres := schema(t, storetest.Postgres(t), postgresSchema)
	if len(sqlite) < 50 {
		t.Errorf("found only %d columns", len(sqlite))
	}
	for column := range union(sqlite, postgres) {
		if sqlite[column] != postgres[column] {
			t.Errorf("%s: SQLite has %q, PostgreSQL has %q", column, sqlite[column], postgres[column])
		}
	}
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestInsertsListEveryColumnOfTheirTables(t *testing.T) {
	t.Parallel()
	columns := schema(t, storetest.SQLite(t), sqliteSchema)
	for table, listed := range store.InsertColumns() {
		for name := range columns {
			if column, ok := strings.CutPrefix(name, table+"."); ok && !slices.Contains(listed, column) {
				t.Errorf("%s is not inserted", name)
			}
		}
		for _, column := range listed {
			if columns[fmt.Sprint(table, ".", column)] == "" {
				t.Errorf("%s.%s is inserted but does not exist", table, column)
			}
		}
	}
}
