package store

import (
	"context"
	"fmt"
	"time"
)

const (
	// testEvery is how often Ready tests whether the database can be written to.
	testEvery = 10 * time.Second
	// spaceForSaves is the free space that a disk must have for SQLite to be writable again, in bytes:
	// more than the largest statement takes in the database and its log.
	spaceForSaves = 16 << 20
)

// testWriting tests whether the database can be written to, unless that is known. SQLite is tested
// only after a change has failed, with a small one and by the free space: a small change may still fit
// into the log on a full disk, while larger ones fail.
func (s *DB) testWriting(ctx context.Context) error {
	const action = "test whether the database can be written to"
	now := time.Now()
	switch known := !s.unwritable.Load(); {
	case s.group != nil && known, known && now.UnixNano()-s.testedAt.Load() < testEvery.Nanoseconds():
		return nil
	case s.group != nil:
		if err := s.change(ctx, action, touch); err != nil {
			return err
		}
		if free, ok := freeSpace(s.file.file); ok && free < spaceForSaves {
			return ErrUnavailable.Because(fmt.Errorf("a change has failed, and the disk of the database file has %d kB left: free %d MB", free>>10, spaceForSaves>>20))
		}
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
