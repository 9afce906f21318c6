package store

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func sqliteDialect(path string) dialect {
	return dialect{
		name:     "sqlite",
		goose:    "sqlite3",
		lockFile: path + ".lock",
		truncate: "PRAGMA wal_checkpoint(TRUNCATE)",
		readOnly: "FALSE",
		down: func(err error) bool {
			switch sqliteCode(err) & 0xff { // the low byte is the kind of failure
			case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
				sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
				return true
			}
			return false
		},
	}
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// openSQLite opens the file at path twice: one connection that writes, and a few that
// read at the same time, which WAL allows. No connection opens another file at path later.
func openSQLite(path string, log *slog.Logger) (writer, reader *sql.DB, named *databaseFile, err error) {
	if path == "" {
		return nil, nil, nil, errors.New("sqlite: a file is needed, such as sqlite:data/broker.db")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, nil, fmt.Errorf("create the folder of the database: %w", err)
	}
	if named, err = openDatabaseFile(path, log); err != nil {
		return nil, nil, nil, err
	}
	dsn := sqliteDSN(path) + "&mode=rw" // without creating the file
	if writer, err = openCached(dsn+"&_txlock=immediate", named.check); err != nil {
		return nil, nil, nil, errors.Join(err, named.close())
	}
	if reader, err = openCached(dsn+"&_pragma=query_only(1)", named.check); err != nil {
		return nil, nil, nil, errors.Join(err, writer.Close(), named.close())
	}
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(max(4, 2*runtime.NumCPU()))
	return writer, reader, named, nil
}

// sqliteDSN returns a data source name with pragmas, so that every connection gets
// them. synchronous=FULL makes committed changes survive a power cut (group.go sets NORMAL
// for those that need not); secure_delete overwrites deleted data.
func sqliteDSN(path string) string {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)", "cache_size(-2000)",
	}}
	return sqliteFile(path) + "?" + pragmas.Encode()
}

func sqliteFile(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// sqliteBusy is the kind of failure while another connection has a lock.
const sqliteBusy = sqlite3.SQLITE_BUSY
