// Package store keeps the broker's data in SQL: in a SQLite file, or in PostgreSQL.
// It implements the interfaces that the domain packages declare, with one file or
// group of files for each of them.
//
//	methods ──change(work)──┬─ SQLite ── group: one goroutine, one transaction for all waiting changes ─┐
//	(grants, portfolios,    │                                                                            ├─ chainLease ─ COMMIT
//	 audit, access, …)      └─ PostgreSQL ── one transaction for each change, up to 20 at a time ────────┘
//	   │
//	   └─ reads ── reader (SQLite: connections next to the writer's, as WAL allows; PostgreSQL: the same pool)
//
// The rules:
//
//   - Every change goes through DB.change. It is durable when that returns nil. A change,
//     its audit record and everything else that it causes are one transaction. Calls that
//     cost credits go through DB.changeUnsynced, which does not wait for the disk on SQLite
//     (package budget says why they may), and their ends through DB.changeLater, which shares
//     a transaction with others.
//   - The first change waits until the database is migrated and the sealing keys are known
//     to be the right ones (keys.go).
//   - A query is written once for both dialects. True differences are in dialect.go. The
//     columns of tables with hundreds of rows are listed once, in insert.go.
//   - Instants are integers, milliseconds since 1970, in columns that end in _ms. Amounts
//     are decimals: NUMERIC in PostgreSQL, TEXT in SQLite, never floats.
//   - Personal data is sealed (encrypted) before it is written: names, account numbers,
//     findings, the statement itself, captures of it, stored answers. Each ciphertext is
//     bound to the row that it belongs to, so it does not open in another one. Hashes of it
//     are keyed.
//   - What changes the portfolios of a user locks that user first (lockSubject), and
//     deletes one with removePortfolio, so each owner has exactly one active portfolio.
//   - Each transaction writes its audit records to a chain that no other transaction
//     extends at the same time (chainLease). The chain's head is written once, just before
//     the commit.
//   - Whether a grant is active is worked out when it is read; the condition is written
//     once, in grant_state.go.
//   - A query or change that takes longer than queryTimeout fails with ErrUnavailable.
//
// Three parts are written by hand although a plain loop or the driver would do: the
// prepared statements that connections of SQLite keep (sqlite_statements.go), with which
// the transactions of package budget's BenchmarkCall take half of the processor time; the
// group commit of SQLite (group.go); and the bulk inserts (sqlite_insert.go,
// postgres_insert.go). The latter two were measured by BenchmarkSave, 32 users who save
// statements of 50 KB with 30 holdings and 105 transactions on two cores: 2.5 times the saves per second of a transaction for each save
// and an INSERT for each row on SQLite (360/s against 140/s), 3 times on PostgreSQL
// (320/s against 105/s). PostgreSQL's arrays are literals: as Go slices, which pgx encodes
// element by element, saving a payload of 5 MB allocates 44 MB instead of 29 MB, over the
// bound of 30 MB, and saves are not faster.
package store
