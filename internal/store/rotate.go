package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// resealPasses is how many times Reseal goes through a table at most. If there is
	// still more to do, another process is sealing under another key.
	resealPasses = 20
	// resealWait is how long Reseal waits when others have locked all remaining values.
	resealWait = time.Second
)

// ErrStillSealing is returned when other processes keep sealing values under another key
// than the first while Reseal runs.
var ErrStillSealing = errors.New("values are still being sealed under another key; " +
	"make the new key the first on every replica, and run this again")

// Reseal encrypts all values again that are sealed under another key than the first, or that an
// earlier release has stored in clear, and calls report once for each table. The database stays in use: other processes can
// decrypt everything at every moment if they have both keys. After an interruption,
// another call continues with the remaining values. Values that cannot be decrypted are
// counted and left as they are.
func (s *DB) Reseal(ctx context.Context, report func(Tally)) error {
	if _, err := s.SealReasons(ctx); err != nil {
		return err
	}
	for _, c := range sealedColumns() {
		r, err := s.resealColumn(ctx, c)
		if err != nil {
			return err
		}
		report(r)
	}
	return nil
}

// resealColumn goes through c until there is nothing left to reseal.
func (s *DB) resealColumn(ctx context.Context, c sealedColumn) (Tally, error) {
	all := Tally{Table: c.name()}
	for range resealPasses {
		pass, again, err := s.resealPass(ctx, c)
		all.Rows += pass.Rows
		all.Unknown, all.Damaged = pass.Unknown, pass.Damaged
		if err != nil {
			return all, fmt.Errorf("reseal %s: %w", c.name(), err)
		}
		if !again {
			return all, nil
		}
		if pass.Rows == 0 {
			if err := pause(ctx, resealWait); err != nil {
				return all, err
			}
		}
	}
	return all, fmt.Errorf("%s: %w", c.name(), ErrStillSealing)
}

// resealPass goes through c once. again reports that it found values to reseal, even if
// others changed them first, so another pass is needed.
func (s *DB) resealPass(ctx context.Context, c sealedColumn) (pass Tally, again bool, err error) {
	pass = Tally{Table: c.name(), Unknown: map[string]int{}}
	var after any
	for {
		batch, err := s.readSealed(ctx, c, after, s.box.Prefix())
		if err != nil || len(batch) == 0 {
			return pass, again, err
		}
		after = batch[len(batch)-1].key
		opened := slices.DeleteFunc(batch, func(v *sealedValue) bool { return !s.resealValue(c, v, &pass) })
		if len(opened) == 0 {
			continue
		}
		again = true
		began := time.Now()
		n, err := s.writeSealed(ctx, c, opened)
		pass.Rows += n
		if err != nil {
			return pass, again, err
		}
		if err := pause(ctx, time.Since(began)); err != nil {
			return pass, again, err
		}
	}
}

// pause leaves the database to others for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resealValue sets v.new. It returns false and counts v if it cannot be decrypted.
func (s *DB) resealValue(c sealedColumn, v *sealedValue, count *Tally) bool {
	plain, ok := s.openValue(c, v, count)
	if ok {
		v.new = s.box.Seal(c.associatedData(v.key), plain)
	}
	return ok
}

// writeSealed replaces the old values by the new ones, and returns how many. It skips
// values that others have changed or deleted, and rows that others have locked, since
// waiting for those could be a deadlock.
func (s *DB) writeSealed(ctx context.Context, c sealedColumn, batch []*sealedValue) (n int, err error) {
	query := c.expand(`UPDATE {table} SET {column} = $1
		WHERE {key} = (SELECT {key} FROM {table} WHERE {key} = $2 AND {column} = $3` + s.dialect.skipLocked + `)`)
	err = s.change(ctx, "write sealed values", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		update, err := tx.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = update.Close() }()
		for _, v := range batch {
			result, err := update.ExecContext(ctx, v.new, v.key, v.old)
			if err != nil {
				return err
			}
			changed, err := result.RowsAffected()
			if err != nil {
				return err
			}
			n += int(changed)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
