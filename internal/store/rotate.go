package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casbroker/internal/secret"
)

const (
	// A batch ends with whichever is reached first: it is held in memory, and its
	// transaction holds up others.
	resealRows  = 100
	resealBytes = 4 << 20
	// resealPasses is how often a table is gone through at most. Were there more to
	// do each time, somebody would still seal under another key.
	resealPasses = 20
	// resealWait is how long to wait for those who have all that is left.
	resealWait = time.Second
)

// ErrStillSealing: while values were sealed anew, others came that were sealed
// under another key than the first.
var ErrStillSealing = errors.New("values are still being sealed under another key; " +
	"put the new key in front on every replica, and run this again")

// Tally says what became of the sealed values of one table.
type Tally struct {
	Table   string
	Rows    int            // that were sealed anew, or opened
	Unknown map[string]int // rows that do not open, by the id of the key that is missing
	Damaged int            // rows that do not open under the key that they name
}

// Missing counts the rows that do not open because their key is missing.
func (r Tally) Missing() (rows int) {
	for _, n := range r.Unknown {
		rows += n
	}
	return rows
}

// sealedColumn is where sealed values are kept.
type sealedColumn struct {
	table, key, column string
	place              func(key any) string
}

// fill puts the column's names into a query.
func (c sealedColumn) fill(query string) string {
	return strings.NewReplacer("{table}", c.table, "{key}", c.key, "{column}", c.column).Replace(query)
}

// sealedColumns lists all places that hold sealed values.
func sealedColumns() []sealedColumn {
	text := func(place func(id string) string) func(any) string {
		return func(key any) string { return place(fmt.Sprint(key)) }
	}
	return []sealedColumn{
		{"portfolios", "id", "private", text(privatePlace)},
		{"payloads", "portfolio", "sealed", text(payloadPlace)},
		{"idempotency", "scope", "answer", func(key any) string {
			scope, _ := key.([]byte)
			return scopePlace(scope)
		}},
	}
}

// Reseal seals everything anew that is sealed under another key than the first, and
// calls report once for each table. Meanwhile the database can be used by others;
// what they read opens at every moment as long as they have both keys. Ended in the
// middle it may be called again, and goes on with what is left. What cannot be
// opened is counted and left as it is.
func (s *DB) Reseal(ctx context.Context, report func(Tally)) error {
	for _, c := range sealedColumns() {
		r, err := s.resealColumn(ctx, c)
		if err != nil {
			return err
		}
		report(r)
	}
	return nil
}

// resealColumn goes through c until nothing is left to do.
func (s *DB) resealColumn(ctx context.Context, c sealedColumn) (Tally, error) {
	all := Tally{Table: c.table}
	for range resealPasses {
		pass, moved, err := s.resealPass(ctx, c)
		all.Rows += pass.Rows
		all.Unknown, all.Damaged = pass.Unknown, pass.Damaged
		if err != nil {
			return all, fmt.Errorf("seal %s anew: %w", c.table, err)
		}
		if !moved {
			return all, nil
		}
		if pass.Rows == 0 {
			if err := rest(ctx, resealWait); err != nil {
				return all, err
			}
		}
	}
	return all, fmt.Errorf("%s: %w", c.table, ErrStillSealing)
}

// resealPass goes through c once. moved says that there was something to seal anew,
// be it that others changed it first, so that another look is needed.
func (s *DB) resealPass(ctx context.Context, c sealedColumn) (pass Tally, moved bool, err error) {
	pass = Tally{Table: c.table, Unknown: map[string]int{}}
	var after any
	for {
		batch, err := s.readSealed(ctx, c, after, s.box.Prefix())
		if err != nil || len(batch) == 0 {
			return pass, moved, err
		}
		after = batch[len(batch)-1].key
		opened := slices.DeleteFunc(batch, func(v *sealedValue) bool { return !s.resealValue(c, v, &pass) })
		if len(opened) == 0 {
			continue
		}
		moved = true
		began := time.Now()
		n, err := s.writeSealed(ctx, c, opened)
		pass.Rows += n
		if err != nil {
			return pass, moved, err
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return pass, moved, err
		}
	}
}

// rest leaves the database to others for d.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sealedValue is one value, as it is kept and as it will be.
type sealedValue struct {
	key      any // text, or bytes
	old, new []byte
}

// resealValue seals v anew. It is false for what does not open, which it counts.
func (s *DB) resealValue(c sealedColumn, v *sealedValue, count *Tally) bool {
	plain, ok := s.openValue(c, v, count)
	if ok {
		v.new = s.box.Seal(c.place(v.key), plain)
	}
	return ok
}

// openValue opens v. It is false for what does not open, which it counts.
func (s *DB) openValue(c sealedColumn, v *sealedValue, count *Tally) ([]byte, bool) {
	plain, err := s.box.Open(c.place(v.key), v.old)
	switch {
	case err == nil:
		return plain, true
	case errors.Is(err, secret.ErrUnknownKey):
		id, _ := secret.KeyID(v.old)
		count.Unknown[id]++
	default:
		count.Damaged++
	}
	return nil, false
}

// readSealed returns the next values past the key after, but for those that begin
// with except.
func (s *DB) readSealed(ctx context.Context, c sealedColumn, after any, except []byte) ([]*sealedValue, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	batch, err := s.scanSealed(ctx, c, after, except)
	return batch, s.explain(ctx, "read sealed values", err)
}

func (s *DB) scanSealed(ctx context.Context, c sealedColumn, after any, except []byte) ([]*sealedValue, error) {
	args, further := []any{resealRows}, ""
	if len(except) > 0 {
		args, further = append(args, len(except), except), " AND substr({column}, 1, $2) <> $3"
	}
	if after != nil {
		args = append(args, after)
		further += fmt.Sprintf(" AND {key} > $%d", len(args))
	}
	rows, err := s.reader.QueryContext(ctx, c.fill(`SELECT {key}, {column} FROM {table}
		WHERE {column} IS NOT NULL`+further+` ORDER BY {key} LIMIT $1`), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []*sealedValue
	for size := 0; size < resealBytes && rows.Next(); {
		v := &sealedValue{}
		if err := rows.Scan(&v.key, &v.old); err != nil {
			return nil, err
		}
		size += len(v.old)
		batch = append(batch, v)
	}
	return batch, rows.Err()
}

// writeSealed puts the new values in the place of the old ones, and says how many.
// It passes over those that others have changed, deleted, or are about to: waiting
// for them while others wait for what it has itself could last for ever.
func (s *DB) writeSealed(ctx context.Context, c sealedColumn, batch []*sealedValue) (n int, err error) {
	query := c.fill(`UPDATE {table} SET {column} = $1
		WHERE {key} = (SELECT {key} FROM {table} WHERE {key} = $2 AND {column} = $3` + s.dialect.skip + `)`)
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
