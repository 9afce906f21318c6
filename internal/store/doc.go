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
//   - A lock that all replicas wait for is taken by the last statements of a transaction
//     (last.go), so that it is never held while the server waits for this process.
//   - A query is written once for both dialects. True differences are in dialect.go. The
//     columns of a portfolio's tables are listed once, in insert.go.
//   - Instants are integers, milliseconds since 1970, in columns that end in _ms. Amounts
//     are decimals, never floats.
//   - A portfolio never changes, so its rows are not rows of a table: its holdings with
//     their accounts are one value and its transactions another, packed (package packed),
//     compressed and sealed.
//   - Personal data is sealed (encrypted) before it is written: names, account numbers,
//     amounts, findings, the statement itself, captures of it, stored answers. Each ciphertext is
//     bound to the row that it belongs to, so it does not open in another one. Hashes of it
//     are keyed.
//   - Which accounts a portfolio lists, and whose they are, is one value next to it, by keyed
//     hashes (account_links.go); numbers, names and masked PANs are another one, sealed
//     (account_details.go). Neither changes. The accounts of a user are worked out from
//     these when they are read. What is known of an owner from all portfolios is a row of
//     owners, which each save and delete brings up to date; package portfolio has the rules.
//   - What changes the portfolios of a user locks that user first (lockSubject), and
//     deletes one with removePortfolio, so each owner has exactly one active portfolio.
//   - Each transaction writes its audit records to a chain that no other transaction
//     extends at the same time (chainLease). The chain's head is written once, just before
//     the commit.
//   - Whether a grant is active is worked out when it is read; the condition is written
//     once, in grant_state.go.
//   - A query or change that takes longer than queryTimeout fails with ErrUnavailable. If
//     PostgreSQL takes no connections either, it fails earlier, and others at once
//     (postgres_hang.go, which also says which servers that hang are not recognised).
//
// Three parts are written by hand although a plain loop, the driver or a library would do:
// the prepared statements that connections of SQLite keep (sqlite_statements.go), with which
// the transactions of package budget's BenchmarkCall take half of the processor time; the
// group commit of SQLite (group.go), 1.15 times the saves per second of a transaction for each
// save (BenchmarkSave: 32 users who save statements of 50 KB with 30 holdings and 105
// transactions on two cores); and the encoding of rows (package packed), which is decoded 3
// times as fast as JSON (BenchmarkDecode there).
package store
