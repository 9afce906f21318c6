package store

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// testEvery is how often Ready tests whether the database can be written to.
	testEvery = 10 * time.Second
	// spaceForSaves is the free space that a disk that was full must have for SQLite to be writable again, in
	// bytes: more than a statement of the default portfolio.max_body takes in the database and its log.
	spaceForSaves = 16 << 20
)

// errLittleSpace is returned while a disk that was full has less space than spaceForSaves.
var errLittleSpace = errors.New("the disk of the database file was full")

// isDiskFull reports whether SQLite has found the disk full.
func isDiskFull(err error) bool {
	code := sqliteCode(err)
	return code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE || errors.Is(err, syscall.ENOSPC)
}

// testWriting tests whether the database can be written to, unless that is known. SQLite is tested
// only after a change has failed, with a small one. If the disk was full, also by the free space: a small
// change may still fit into the log, while larger ones fail.
func (s *DB) testWriting(ctx context.Context) error {
	const action = "test whether the database can be written to"
	now := time.Now()
	switch known := !s.unwritable.Load(); {
	case s.group != nil && known, known && now.UnixNano()-s.testedAt.Load() < testEvery.Nanoseconds():
		return nil
	case s.group != nil:
		if free, ok := freeSpace(s.file.file); ok && s.full.Load() && free < spaceForSaves {
			return ErrUnavailable.Because(fmt.Errorf("%w: it has %d kB left, and at least %d MiB must be free", errLittleSpace, free>>10, spaceForSaves>>20))
		}
		if err := s.change(ctx, action, touch); err != nil {
			return err
		}
		s.full.Store(false)
		s.unwritable.Store(false)
		return nil
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if err := s.explain(ctx, action, s.writeNothing(ctx)); err != nil {
		return err
	}
	s.unwritable.Store(false)
	s.testedAt.Store(now.UnixNano())
	return nil
}

// writeNothing makes a change without an effect, and without a chain of audit records.
func (s *DB) writeNothing(ctx context.Context) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, statement := range s.dialect.allocate {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return s.dialect.commitWith(ctx, tx, []lastStatement{{query: `UPDATE access_state SET version = version`}})
}

// allocatePostgres sorts 300 kB in 64 kB of memory, for which PostgreSQL needs a file. A row that is
// changed may find room on a page that exists, also on a full disk.
var allocatePostgres = []string{
	`SET LOCAL work_mem = '64kB'`,
	`SELECT COUNT(*) FROM (SELECT repeat(md5(n::text), 32) AS text FROM generate_series(1, 300) AS n ORDER BY text OFFSET 0) AS sorted`,
}
