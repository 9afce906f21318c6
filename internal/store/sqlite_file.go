package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
)

var errOtherFile = errors.New("the database file was replaced or removed while it was open")

// errReplaced is returned while the open file of a SQLite database is not the one that has its
// name: all changes would be lost with the process.
var errReplaced = ErrUnavailable.Because(errOtherFile).
	WithNotef("The database file was replaced or removed under the running broker. Restart the broker, which then opens the file that is there.")

// databaseFile is the file of a SQLite database, as it was when it was opened. It stays open: when
// a process closes a file, the system drops all locks that the process has on it, also those
// of SQLite. Another process that reads the database would then take itself for the only one, and
// remove the -wal file with the newest changes when it ends.
type databaseFile struct {
	path     string
	file     *os.File
	opened   os.FileInfo
	log      *slog.Logger
	replaced atomic.Bool // by the last check
	torn     bool        // when it was opened; it stays so
	marked   atomic.Bool // by this process as torn
}

// openDatabaseFile opens the file at path, and creates an empty one if there is none.
func openDatabaseFile(path string, log *slog.Logger) (*databaseFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own setting
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	opened, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &databaseFile{path: path, file: file, opened: opened, log: log, torn: isTorn(file, path)}, nil
}

// close closes the file, after all connections of this process.
func (f *databaseFile) close() error { return f.file.Close() }

// check returns errReplaced if the path leads to no file or to another one, and logs when that
// changes. It takes some microseconds.
func (f *databaseFile) check() error {
	now, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // it is not known
	}
	replaced := err != nil || !os.SameFile(f.opened, now)
	if f.replaced.Swap(replaced) != replaced {
		if replaced {
			f.log.Error("the database file was replaced or removed while it is open; changes are refused until a restart", "file", f.path)
		} else {
			f.log.Info("the database file is in its place again", "file", f.path)
		}
	}
	if replaced {
		return errReplaced
	}
	return nil
}

// CheckFile returns ErrUnavailable if the file of a SQLite database was replaced or removed. Each
// change and Ready do so, too.
func (s *DB) CheckFile() error {
	if s.file == nil {
		return nil
	}
	return s.file.check()
}
