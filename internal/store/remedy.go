package store

import (
	"errors"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotMigrated is returned for a database without the tables of this version.
var ErrNotMigrated = errors.New("the database is not migrated; run broker migrate")

// The remedies of errors, by what their SQLSTATE begins with, and by the code of SQLite.
var (
	postgresRemedies = map[string]string{
		"28":         "correct the user and the password in store.url, and let pg_hba.conf of the server admit the user",
		"3D":         "create the database, or correct its name in store.url",
		readOnlyCode: "have store.url lead to the server that takes changes (with several hosts: target_session_attrs=read-write), and see that default_transaction_read_only is off there",
		"42501":      "make the user of store.url the owner of the broker's tables",
		"53100":      "free space on the disk of the server",
		fullCode:     "lower store.max_conns, or raise max_connections of the server",
	}
	// tlsRemedies are those of connections that PostgreSQL or the broker refuses because of TLS, by words
	// of their errors, which have no codes of their own.
	tlsRemedies = []struct{ words, remedy string }{
		{"no encryption", "admit the user and this host in pg_hba.conf of the server, or, if it has only hostssl lines for them, use sslmode=require or stricter in store.url"},
		{"server refused TLS", "turn TLS on at the server (ssl = on), or on a private network use sslmode=disable in store.url"},
		{"x509: ", "let sslrootcert in store.url name the authority of the server's certificate; with sslmode=verify-full the host must be a name in it"},
	}
	sqliteRemedies = map[int]string{
		sqlite3.SQLITE_FULL:     "free space on the disk of the database file",
		sqlite3.SQLITE_READONLY: "let the broker's user write to the database file and its folder",
		sqlite3.SQLITE_CANTOPEN: "let the broker's user open the database file, and write to its folder",
		sqlite3.SQLITE_CORRUPT:  "restore a backup: broker restore FILE",
		sqlite3.SQLITE_NOTADB:   "correct store.url, or restore a backup: broker restore FILE",
	}
)

// Remedy returns what the operator must do about err, which a database has answered with; "" if the
// answer does not show that, or if there was none.
func Remedy(err error) string {
	if errors.Is(err, errHangs) {
		return "the server takes no connection in time: see its disk, its memory and the network to it"
	}
	for _, r := range tlsRemedies {
		if strings.Contains(err.Error(), r.words) {
			return r.remedy
		}
	}
	if errors.Is(err, errReadOnly) {
		return postgresRemedies[readOnlyCode]
	}
	if errors.Is(err, errLittleSpace) {
		return sqliteRemedies[sqlite3.SQLITE_FULL]
	}
	const base = 0xff // of the extended codes
	if code := sqliteCode(err); code != 0 {
		return sqliteRemedies[code&base]
	}
	code := postgresCode(err)
	for beginning, remedy := range postgresRemedies {
		if strings.HasPrefix(code, beginning) {
			return remedy
		}
	}
	return ""
}
