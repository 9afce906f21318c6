package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// startTimeout bounds how long a start waits for a database that may be away.
const startTimeout = 5 * time.Second

// Tally says what became of the sealed values of one table.
type Tally = store.Tally

// openStore opens the database of the settings for one command, which tells o.LogTo
// of keys that cannot be used, and returns what seals in it.
func openStore(c config.Config, o Options) (*store.DB, *secret.Box, error) {
	seal, lost, err := readKeys(c.Seal)
	if err != nil {
		return nil, nil, err
	}
	c.Seal = seal
	box, err := newBox(seal)
	if err != nil {
		return nil, nil, err
	}
	log := newLog(c, o)
	warnOfLost(log, lost)
	db, err := store.Open(store.Options{URL: c.Store.URL, Box: box, Log: log})
	if err != nil {
		return nil, nil, fmt.Errorf("store.url: %w", err)
	}
	return db, box, nil
}

// usable says why the database cannot be used. When it was sealed under another key
// than the one that is to seal, that names the setting.
func usable(ctx context.Context, db *store.DB) error {
	err := db.Ready(ctx)
	var wrong *store.WrongKeyError
	if errors.As(err, &wrong) {
		return fmt.Errorf("seal.keys[0]: %w", wrong)
	}
	return err
}

// usableAtStart refuses a database that was sealed under another key. One that is
// away or not migrated is told of in the log: nothing is written to it before the
// keys were looked at.
func (a *App) usableAtStart(ctx context.Context, db *store.DB) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := usable(ctx, db)
	var wrong *store.WrongKeyError
	if errors.As(err, &wrong) {
		return err
	}
	if err != nil {
		a.log.WarnContext(ctx, "the database cannot be used yet", "error", err)
	}
	return nil
}

// Migrate brings the database of the settings to the newest form and returns how
// many steps that took.
func Migrate(ctx context.Context, c config.Config, o Options) (int, error) {
	db, _, err := openStore(c, o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	return db.Migrate(ctx)
}

// Rotate seals everything anew under the first sealing key, while brokers serve,
// and has report say how each table ended. It fails when the database is not
// migrated, and names the keys that are missing when something is left that does
// not open. It may be ended at any moment and called again.
func Rotate(ctx context.Context, c config.Config, o Options, report func(Tally)) error {
	return walk(ctx, c, o, (*store.DB).Reseal, report)
}

// Verify opens everything that is sealed, while brokers serve, and has report say
// how each table ended. It changes nothing. It fails when the database is not
// migrated, and when something does not open.
func Verify(ctx context.Context, c config.Config, o Options, report func(Tally)) error {
	return walk(ctx, c, o, (*store.DB).Verify, report)
}

// walk goes through all that is sealed, and fails when something does not open.
func walk(ctx context.Context, c config.Config, o Options,
	through func(*store.DB, context.Context, func(Tally)) error, report func(Tally),
) error {
	db, _, err := openStore(c, o)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := usable(ctx, db); err != nil {
		return err
	}
	missing := map[string]int{}
	damaged := 0
	err = through(db, ctx, func(r Tally) {
		report(r)
		damaged += r.Damaged
		for id, n := range r.Unknown {
			missing[id] += n
		}
	})
	return errors.Join(err, missingKeys(missing), damagedRows(damaged))
}

// missingKeys names the keys without which rows do not open.
func missingKeys(rows map[string]int) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		names = append(names, fmt.Sprintf("%q (%d)", id, rows[id]))
	}
	return fmt.Errorf("rows are sealed under keys that are missing: %s; "+
		"put those keys behind the first one in seal.keys, and run this again", strings.Join(names, ", "))
}

func damagedRows(rows int) error {
	if rows == 0 {
		return nil
	}
	return fmt.Errorf("%d rows do not open under the key that they name: "+
		"either that key is not the one it was, or the rows are damaged", rows)
}
