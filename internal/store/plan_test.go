package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// untoured are the exported methods that the tour need not call.
var untoured = map[string]string{
	"Close": "has no statement", "CheckFile": "has no statement", "Emitted": "has no statement", "PoolStats": "has no statement",
	"Unreachable": "has no statement", "Migrate": "runs once for each release", "MigrateDown": "is of tests",
	"Verify": "goes through all sealed values, by their keys", "Reseal": "goes through all sealed values, by their keys",
	"BeginMigration": "is of tests", "StatementTimeout": "is of tests", "OnNotice": "is of tests", "ReadWithOneConnection": "is of tests", "Statements": "is of tests",
}

// smallTables do not grow with users and time.
var smallTables = map[string]string{
	"access_state": "one row", "audit_unchained": "one row", "event_state": "one row",
	"audit_writers": "a row for each transaction that can run at once", "chores": "a row for each job", "seal_keys": "a row for each key",
	"holdings": "out of use", "transactions": "out of use",
	"goose_db_version": "a row for each migration", "webhook_endpoints": "a row for each webhook", "sessions": "operators who are signed in",
	"usage_comparisons": "a row for each day and feature", "budget_raises": "made by operators, deleted when they end",
}

// wholeReads are statements that are meant to read most of a table, by a part of their text.
var wholeReads = map[string]string{
	"FROM blocks WHERE (until_ms = 0 OR until_ms > $1)": "a replica has all blocks in memory",
	"SELECT COUNT(*) FROM audit WHERE writer = ''":      "the verification reads all records; those without a chain are of early releases",
	"DELETE FROM owners WHERE NOT EXISTS":               "a job compares all owners with the portfolios of a day",
	"NOT EXISTS (SELECT 1 FROM packed_holdings h":       "a job goes through all portfolios once",
	"goose_db_version":                                  "of the library that migrates",
}

// filteredReads are statements that read the rows of a period, or all rows, in their order until they have enough
// of some kind, by a part of their text. They are quick because nearly all of the rows are of that kind.
var filteredReads = map[string]string{
	"g.issued_ms > $": "active grants: of an hour", "NOT (g.expires_ms > $": "most grants have expired",
	"FROM access_changes WHERE at_ms >= $1 AND at_ms < $2": "few changes of access are the end of a block",
	"FROM audit WHERE action <> $1":                        "not many times as many reads as other actions are recorded",
	"SELECT subject FROM blocks WHERE":                     "most blocks end by being lifted, which deletes them",
	"FROM captures WHERE next_ms <= $1":                    "most captures that wait have been parsed",
	"FROM links l WHERE l.outcome = ''":                    "links that are open, of some days",
	"settled = 1 AND ended_ms <= $1 ORDER BY ended_ms":     "links are settled when they end",
	"FROM gateway_calls WHERE started_ms <= $1":            "calls end within minutes",
	"FROM events WHERE at_ms <= $1 AND seq > 0":            "events get their positions at once",
}

// fewRows are indexes of few of the rows of their tables: a statement may read all of one.
var fewRows = map[string]string{
	"events_without_position":    "events get their positions at once",
	"webhook_deliveries_pending": "deliveries that wait are counted",
	"mail_files_due":             "files that wait to be parsed",
	"gateway_calls_open":         "calls that have not ended are counted",
	"access_changes_unsealed":    "of early releases", "blocks_unsealed": "of early releases",
}

// plannedTables are those with enough rows that PostgreSQL prefers an index where there is one. The
// rows are of one year before savedAt.
const plannedTables = `
	INSERT INTO access_changes SELECT i, 'revoke_user', 'demo:' || i % 997, '', '', 0, at, 'admin/x' FROM seed;
	UPDATE access_state SET version = (SELECT MAX(version) FROM access_changes);
	INSERT INTO audit SELECT 'au_s' || i, at, CASE i % 50 WHEN 0 THEN 'admin/x' ELSE 'demo:' || i % 997 END, CASE i % 500 WHEN 0 THEN 'access.block' ELSE 'token.mint' END,
		'demo:' || i % 997, '', 'req_s' || i, '', '', '', CASE i % 40 WHEN 0 THEN 'refused' ELSE 'ok' END, '', 'wr_s' || i % 7, i, NULL, NULL FROM seed;
	INSERT INTO blocks SELECT 'demo:' || i, i, '', 0, at, 'admin/x' FROM seed;
	INSERT INTO budget_counters SELECT CASE i % 30 WHEN 0 THEN 'month' ELSE 'day' END, at - at % 86400000, 'user', 'demo:' || i, i FROM seed;
	INSERT INTO budgets_reached SELECT 'watch', CASE i % 30 WHEN 0 THEN 'month' ELSE 'day' END, at - at % 86400000, 'user', 'demo:' || i, at FROM seed;
	INSERT INTO call_totals SELECT at - at % 86400000, 'demo:' || i % 997, 'demo', 'smart_parser', 'k', 1, 0, i FROM seed ON CONFLICT DO NOTHING;
	INSERT INTO captures SELECT 'ca_s' || i, 'demo:' || i % 997, 'x', at, 0, at + 9e10::BIGINT FROM seed;
	INSERT INTO events (id, seq, type, subject, who, at_ms, object) SELECT 'ev_s' || i, i, 'user.blocked', 'demo:' || i % 997, 'who' || i % 997, at, '{}' FROM seed;
	UPDATE event_state SET seq = (SELECT MAX(seq) FROM events);
	INSERT INTO webhook_endpoints SELECT 'app', 'settings', '', 0;
	INSERT INTO webhook_deliveries SELECT 'app', 'ev_s' || i, i, 'who' || i % 997, CASE i % 100 WHEN 0 THEN 'pending' ELSE 'delivered' END, at FROM seed;
	INSERT INTO webhook_queues SELECT 'app', 'who' || i, at FROM seed;
	INSERT INTO gateway_calls SELECT 'gc_s' || i, 'demo:' || i % 997, 'who' || i % 997, 'demo', 'gr_s' || i, 'req_s' || i, 'k', 'smart_parser', at, at,
		CASE i % 1000 WHEN 0 THEN 0 ELSE at END, 'ok', '', 'answered', 1000, 1000, 'pf_s' || i FROM seed;
	INSERT INTO grants SELECT 'gr_s' || i, 'demo:' || i % 997, 'direct', at, at + 3600000, '', 0, 0, decode(md5(i::TEXT), 'hex') FROM seed;
	INSERT INTO idempotency SELECT decode(md5(i::TEXT), 'hex'), 'x', 'h', at, at + 86400000, 1, 'pf_s' || i, NULL FROM seed;
	INSERT INTO links (id, subject, token_hash, use_kind, language, created_by, created_ms, expires_ms, ended_ms, outcome, settled, access_version)
		SELECT 'ln_s' || i, 'demo:' || i % 997, decode(md5(i::TEXT), 'hex'), 'once', 'en', 'k', at, at, at, 'expired', 1, 0 FROM seed;
	INSERT INTO link_sessions SELECT 'ls_s' || i, 'ln_s' || i, decode(md5(i::TEXT), 'hex'), at, '[]' FROM seed;
	INSERT INTO link_grants SELECT 'gr_s' || i, 'ln_s' || i, 'ls_s' || i FROM seed;
	INSERT INTO mail_consents SELECT 'demo:' || i, at, at, 0, 'x' FROM seed;
	INSERT INTO vendor_resources SELECT CASE i % 2 WHEN 0 THEN 'inbound_email' ELSE 'otp_session' END, 'ie_s' || i, 'demo:' || i % 997, at FROM seed;
	INSERT INTO mail_files SELECT 'mf_s' || i, 'inbound_email', 'ie_s' || i, 'm', 'f', at * 1000, at + 172800000, 'x' FROM seed WHERE i % 2 = 0;
	INSERT INTO mailbox_connections SELECT decode(md5(i::TEXT), 'hex'), 'demo:' || i % 997, 'x', at + 31500000000 FROM seed;
	INSERT INTO mailboxes SELECT decode(md5(i::TEXT), 'hex'), 'demo:' || i % 997, 'x', at FROM seed;
	INSERT INTO owners SELECT 'ow_s' || i, 'demo:' || i % 997, i, NULL, 'x' FROM seed;
	INSERT INTO portfolios SELECT 'pf_s' || i, 'demo:' || i % 997, decode(md5(i::TEXT), 'hex'), 'reported', 'CDSL', '2026-01-01', '2026-03-31', 'x', 0, 1, 1, '[]', at, i FROM seed;
	INSERT INTO payloads SELECT 'pf_s' || i, 'x' FROM seed;
	INSERT INTO packed_holdings SELECT 'pf_s' || i, 'x' FROM seed;
	INSERT INTO packed_transactions SELECT 'pf_s' || i, 'x' FROM seed;
	INSERT INTO statement_jobs SELECT 'jb_s' || i, 'demo:' || i % 997, CASE i % 200 WHEN 0 THEN 'waiting' ELSE 'done' END, at, at, at, 0, '', 1, 'x', '', 0, decode(md5(i::TEXT), 'hex') FROM seed;
	INSERT INTO usage_counts SELECT 'minute', at, 'minted', 'l' || i % 3, 1, 0 FROM seed;`

// Each table gets seedRows rows, and statistics as if it had seedFactor times as many.
const seedRows, seedFactor = 2000, 600

// plan is what PostgreSQL has done for a statement.
type queryPlan struct {
	Query string `json:"Query Text"`
	Plan  planNode
}

type planNode struct {
	Type      string     `json:"Node Type"`
	Table     string     `json:"Relation Name"`
	Index     string     `json:"Index Name"`
	Condition string     `json:"Index Cond"`
	Filter    string     `json:"Filter"`
	Plans     []planNode `json:"Plans"`
}

// TestNoStatementReadsAWholeTable has PostgreSQL report the plan of each statement that the
// store sends, and of those that foreign keys cause.
func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	seedPlanned(t, url)
	s, err := store.Open(store.Options{URL: secret.URL(url), Box: storetest.NewBox(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var lock sync.Mutex
	var plans []queryPlan
	err = s.OnNotice(url, func(n *pgconn.Notice) {
		_, text, found := strings.Cut(n.Message, "plan:\n")
		if !found {
			return
		}
		var p queryPlan
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		lock.Lock()
		defer lock.Unlock()
		plans = append(plans, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	takeTour(t, s, func() {})
	lock.Lock()
	defer lock.Unlock()
	if len(plans) < 500 {
		t.Errorf("PostgreSQL has reported %d plans, want more than 500", len(plans))
	}
	first := texts(t, url, `SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]`)
	seen := map[string]bool{}
	for _, p := range plans {
		if message := p.wrong(first); message != "" && !seen[p.Query+message] {
			seen[p.Query+message] = true
			t.Errorf("%s: %s", message, strings.Join(strings.Fields(p.Query), " "))
		}
	}
}

// wrong returns what is wrong with the plan, "" if nothing is. first has the first column of each index.
func (p queryPlan) wrong(first map[string]string) string {
	if isListed(wholeReads, p.Query) {
		return ""
	}
	return p.Plan.wrong(first, isListed(filteredReads, p.Query), false)
}

// wrong returns the first step that reads a whole table that can be large. filtered says that the statement is
// one of filteredReads, limited that a step above ends the reading early.
func (n planNode) wrong(first map[string]string, filtered, limited bool) string {
	_, small := smallTables[n.Table]
	switch {
	case small:
	case n.Type == "Seq Scan":
		return "reads all of " + n.Table
	case strings.Contains(n.Type, "Index") && !strings.Contains(n.Condition, "("+first[n.Index]) && !limited && fewRows[n.Index] == "":
		return "reads all of " + n.Index
	case strings.Contains(n.Type, "Index") && limited && !filtered && n.Filter != "" && !strings.Contains(n.Condition, " = ") && fewRows[n.Index] == "":
		return "may read all of " + n.Index + " to find rows with " + n.Filter
	}
	switch n.Type {
	case "Limit":
		limited = true
	case "Sort", "Aggregate", "Hash":
		limited = false
	}
	for _, below := range n.Plans {
		if message := below.wrong(first, filtered, limited); message != "" {
			return message
		}
	}
	return ""
}

// texts returns the second column of the rows of a query by the first.
func texts(t *testing.T, url, query string) map[string]string {
	t.Helper()
	rows, err := storetest.SQL(t, url).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string]string{}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			t.Fatal(err)
		}
		found[key] = value
	}
	if err := rows.Err(); err != nil || len(found) == 0 {
		t.Fatalf("found %d rows, %v", len(found), err)
	}
	return found
}

// seedPlanned fills the database at url, and makes it report the plans of its statements to
// those who send them.
func seedPlanned(t *testing.T, url string) {
	t.Helper()
	var settings strings.Builder
	for _, setting := range []string{
		"session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0", "auto_explain.log_format = json",
		"auto_explain.log_nested_statements = on", "client_min_messages = log",
	} {
		fmt.Fprintf(&settings, "EXECUTE format('ALTER DATABASE %%I SET %s', current_database());", setting)
	}
	execute(t, url, fmt.Sprintf(`CREATE TEMPORARY TABLE seed AS SELECT i, %d - (%d - i) * (31536000000 / %[2]d) AS at FROM generate_series(1, %[2]d) i;
		%s
		ANALYZE;
		UPDATE pg_class SET reltuples = reltuples * %d WHERE relnamespace = 'public'::regnamespace AND reltuples > 1000;
		DO $$ BEGIN LOAD 'auto_explain'; %s END $$`, savedAt.UnixMilli(), seedRows, plannedTables, seedFactor, settings.String()))
}

// takeTour takes the tour of s, and fails for exported methods that it does not call. It calls
// after after each part.
func takeTour(t *testing.T, s *store.DB, after func()) {
	t.Helper()
	called := map[string]bool{}
	tour{t: t, s: s, call: func(method string) { called[method] = true }, after: after}.run()
	for method := range reflect.TypeOf(s).Methods() {
		if _, need := untoured[method.Name]; !need && !called[method.Name] {
			t.Errorf("the tour does not call %s", method.Name)
		}
	}
}

// wholeScan is a step of SQLite that reads a whole table, or a whole index.
var wholeScan = regexp.MustCompile(`^SCAN (\w+)( USING (COVERING )?INDEX (\w+))?$`)

// parameter is one of a statement.
var parameter = regexp.MustCompile(`\$\d+`)

// TestNoStatementReadsAWholeTableOfSQLite asks SQLite for its plan of each statement that the store
// sends. It has no statistics, so it makes the same plan with any number of rows.
func TestNoStatementReadsAWholeTableOfSQLite(t *testing.T) {
	t.Parallel()
	url := storetest.SQLite(t)
	s := storetest.Open(t, url, storetest.NewBox(t))
	s.ReadWithOneConnection()
	queries := map[string]bool{}
	takeTour(t, s, func() {
		if err := s.Statements(t.Context(), func(query string) { queries[query] = true }); err != nil {
			t.Fatal(err)
		}
	})
	if len(queries) < 200 {
		t.Errorf("SQLite was sent %d statements, want more than 200", len(queries))
	}
	db, tables := storetest.SQL(t, url), map[string]bool{}
	for column := range schema(t, url, sqliteSchema) {
		table, _, _ := strings.Cut(column, ".")
		tables[table] = true
	}
	for _, query := range slices.Sorted(maps.Keys(queries)) {
		if isListed(wholeReads, query) {
			continue
		}
		for _, step := range sqlitePlan(t, db, query) {
			m := wholeScan.FindStringSubmatch(step)
			if m == nil || m[2] != "" && strings.Contains(query, " LIMIT ") || fewRows[m[4]] != "" {
				continue
			}
			if table := tableOf(query, m[1]); tables[table] && smallTables[table] == "" {
				t.Errorf("%s: %s", step, strings.Join(strings.Fields(query), " "))
			}
		}
	}
}

// tableOf returns the table, or the result of another query, that name stands for in query.
func tableOf(query, name string) string {
	alias := regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO) (\w+)(?:(?: AS)? ` + name + `)?\b`)
	for _, m := range alias.FindAllStringSubmatch(query, -1) {
		if m[1] == name || strings.HasSuffix(m[0], " "+name) {
			return m[1]
		}
	}
	return ""
}

// sqlitePlan returns the steps of the plan of query; that of a plain INSERT has none.
func sqlitePlan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	args := make([]any, 0, 20)
	for _, number := range parameter.FindAllString(query, -1) {
		for n, _ := strconv.Atoi(number[1:]); len(args) < n; {
			args = append(args, nil)
		}
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var number, above, unused int
		var step string
		if err := rows.Scan(&number, &above, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// isListed reports whether a part of query is in list.
func isListed(list map[string]string, query string) bool {
	for text := range list {
		if strings.Contains(query, text) {
			return true
		}
	}
	return false
}
