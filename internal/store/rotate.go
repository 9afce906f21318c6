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

// Resealed says how sealing the values of one table anew ended.
type Resealed struct {
	Table   string
	Rows    int            // sealed anew
	Unknown map[string]int // rows left as they are, by the id of the key that is missing
	Damaged int            // rows left as they are because they do not open under the key that they name
}

// Missing counts the rows that were left because their key is missing.
func (r Resealed) Missing() (rows int) {
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
func (s *DB) Reseal(ctx context.Context, report func(Resealed)) error {
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
func (s *DB) resealColumn(ctx context.Context, c sealedColumn) (Resealed, error) {
	all := Resealed{Table: c.table}
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
func (s *DB) resealPass(ctx context.Context, c sealedColumn) (pass Resealed, moved bool, err error) {
	pass = Resealed{Table: c.table, Unknown: map[string]int{}}
	var after any
	for {
		batch, err := s.readSealed(ctx, c, after)
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
func (s *DB) resealValue(c sealedColumn, v *sealedValue, count *Resealed) bool {
	place := c.place(v.key)
	plain, err := s.box.Open(place, v.old)
	if errors.Is(err, secret.ErrUnknownKey) {
		id, _ := secret.KeyID(v.old)
		count.Unknown[id]++
		return false
	}
	if err != nil {
		count.Damaged++
		return false
	}
	v.new = s.box.Seal(place, plain)
	return true
}

// readSealed returns the next values past the key after that are not sealed under
// the first key.
func (s *DB) readSealed(ctx context.Context, c sealedColumn, after any) ([]*sealedValue, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	batch, err := s.scanSealed(ctx, c, after)
	return batch, s.explain(ctx, "read sealed values", err)
}

func (s *DB) scanSealed(ctx context.Context, c sealedColumn, after any) ([]*sealedValue, error) {
	mark := s.box.Mark()
	args, further := []any{len(mark), mark, resealRows}, ""
	if after != nil {
		args, further = append(args, after), "AND {key} > $4"
	}
	rows, err := s.reader.QueryContext(ctx, c.fill(`SELECT {key}, {column} FROM {table}
		WHERE {column} IS NOT NULL AND substr({column}, 1, $1) <> $2 `+further+` ORDER BY {key} LIMIT $3`), args...)
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
