package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrTorn is returned for a SQLite file that was copied from a running broker without its
// -wal file.
var ErrTorn = errors.New("the database file was copied from a running broker without the -wal file next to it: what was in that is missing; " +
	"use broker backup, or stop the broker and copy all files of the database " +
	"(if this is no copy, another program has closed the database last, after the broker was killed or while it stopped: a start and stop of the broker mends that)")

// A SQLite file in use has its newest changes in a second file, -wal, and changes in many places
// during a checkpoint, of whatever program. So that a copy of the first file alone is recognised, its
// user_version says "torn" from before the first change until the database is closed, and so
// does every version of that page in -wal, so that no checkpoint changes it. The last connection
// that is closed writes "whole", once all changes are in the file. After a crash the -wal file is
// there, and both files together are whole.
const (
	versionWhole  = 0
	versionTorn   = 1
	versionOffset = 60 // of the user_version in the file, 4 bytes, big-endian
)

// markTorn has the file say that it is not whole without its -wal file, durably. It must be
// called before each change, and takes a microsecond if the file says so already.
func (f *databaseFile) markTorn(ctx context.Context, writer *sql.DB) error {
	if f.marked.Load() && versionIn(f.file) == versionTorn {
		return nil
	}
	// In the -wal file for all checkpoints to come, and in the file itself at once: readers can
	// delay a checkpoint, and SQLite makes no other use of these bytes.
	if _, err := writer.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", versionTorn)); err != nil {
		return err
	}
	if _, err := f.file.WriteAt(binary.BigEndian.AppendUint32(nil, versionTorn), versionOffset); err != nil {
		return ErrUnavailable.Because(fmt.Errorf("mark the database file: %w", err))
	}
	if err := f.file.Sync(); err != nil {
		return ErrUnavailable.Because(fmt.Errorf("mark the database file: %w", err))
	}
	f.marked.Store(true)
	return nil
}

// closeWriter closes the last connections of this process, and leaves a whole file if no other
// process has it open.
func (f *databaseFile) closeWriter(writer *sql.DB) error {
	if f.torn || versionIn(f.file) != versionTorn || f.check() != nil {
		return writer.Close()
	}
	return closeWhole(writer)
}

// closeWhole closes db, the only connections of this process. If no other process has the
// database open, all changes are in its file then, which says that it is whole.
func closeWhole(db *sql.DB) error {
	err := markWhole(db)
	if sqliteCode(err)&0xff == sqliteBusy {
		err = nil // another process has it open, and does this later
	}
	return errors.Join(err, db.Close())
}

const markWholeTimeout = 10 * time.Second

func markWhole(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), markWholeTimeout)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version != versionTorn {
		return nil //nolint:nilerr // a file that is no database is reported by its use
	}
	// The first transaction takes a lock that excludes all other connections until the end. The
	// checkpoint makes the file whole before that is in it.
	for _, statement := range []string{
		"PRAGMA busy_timeout = 200", "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "COMMIT",
		"PRAGMA wal_checkpoint(TRUNCATE)", fmt.Sprintf("PRAGMA user_version = %d", versionWhole),
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("mark the database file as whole: %w", err)
		}
	}
	return nil
}

// versionIn returns the user_version in the header of the file alone, -1 if it cannot be
// read.
func versionIn(file *os.File) int {
	version := make([]byte, 4)
	if _, err := file.ReadAt(version, versionOffset); err != nil {
		return -1
	}
	return int(binary.BigEndian.Uint32(version))
}

// isTorn reports whether the SQLite file at path, which is open as file, says that it is not whole
// without its -wal file, and that is missing.
func isTorn(file *os.File, path string) bool {
	_, err := os.Stat(path + "-wal")
	return errors.Is(err, os.ErrNotExist) && versionIn(file) == versionTorn
}

// CheckTorn returns ErrTorn if the SQLite file at path was copied from a running broker
// without its -wal file. It must be called before this process opens the database: that makes a
// new -wal file, and CheckTorn would drop the locks (see databaseFile).
func CheckTorn(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator's own setting
	if err != nil {
		return nil // opening the database reports that
	}
	defer func() { _ = file.Close() }()
	if isTorn(file, path) {
		return ErrTorn
	}
	return nil
}
