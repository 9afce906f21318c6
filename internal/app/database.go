package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// databaseTimeout bounds how long the start waits for a database that may be unavailable.
const databaseTimeout = 5 * time.Second

// Tally counts the encrypted values of one table by the result of Rotate or Verify.
type Tally = store.Tally

// storeOptions returns the options of the database that the settings give.
func storeOptions(c config.Store) store.Options {
	return store.Options{URL: c.URL, MaxConns: c.MaxConns, Pooler: c.Pooler}
}

// openStore opens the database of the settings for one command, and returns it with the
// Box that encrypts its values. Lost keys are logged.
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
	log := newLog(c, o.LogTo)
	logLostKeys(log, lost)
	options := storeOptions(c.Store)
	options.Box, options.Log = box, log
	db, err := store.Open(options)
	if err != nil {
		return nil, nil, fmt.Errorf("store.url: %w", err)
	}
	return db, box, nil
}

// usable returns why the database cannot be used, nil if it can. The error names the
// setting if the first key is not the one that the database was encrypted with.
func usable(ctx context.Context, db *store.DB) error {
	err := db.Ready(ctx)
	var wrong *store.WrongKeyError
	if errors.As(err, &wrong) {
		return fmt.Errorf("seal.keys[0]: %w", wrong)
	}
	return err
}

// checkDatabase fails if the first key is not the one that the database was encrypted with,
// so that nothing is written with a wrong key, and if a newer release has migrated the database.
// A database that is unavailable or not migrated is only logged.
func checkDatabase(ctx context.Context, db *store.DB, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	err := usable(ctx, db)
	var wrong *store.WrongKeyError
	if errors.As(err, &wrong) || errors.Is(err, store.ErrNewerSchema) {
		return err
	}
	if err != nil {
		log.WarnContext(ctx, "the database cannot be used yet", "error", err)
	}
	return nil
}

// Migrate migrates the database of the settings to the newest schema and returns the number
// of steps.
func Migrate(ctx context.Context, c config.Config, o Options) (int, error) {
	db, _, err := openStore(c, o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	return db.Migrate(ctx)
}

// Rotate encrypts all values again with the first key, while brokers serve, and calls report
// once per table. It fails if the database is not migrated or if values could not be
// decrypted; the error then names the missing keys. It may be interrupted and repeated.
func Rotate(ctx context.Context, c config.Config, o Options, report func(Tally)) error {
	return walk(ctx, c, o, (*store.DB).Reseal, report)
}

// Verify decrypts all values, while brokers serve, and calls report once per table. It
// changes nothing. It fails if the database is not migrated or if values could not be
// decrypted.
func Verify(ctx context.Context, c config.Config, o Options, report func(Tally)) error {
	return walk(ctx, c, o, (*store.DB).Verify, report)
}

// walk calls visit for the whole database, and fails if values could not be decrypted.
func walk(ctx context.Context, c config.Config, o Options,
	visit func(*store.DB, context.Context, func(Tally)) error, report func(Tally),
) error {
	db, _, err := openStore(c, o)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := usable(ctx, db); err != nil {
		return err
	}
	return visitValues(ctx, db, visit, report)
}

// verifyValues decrypts all values of db, as Verify does.
func verifyValues(ctx context.Context, db *store.DB, report func(Tally)) error {
	return visitValues(ctx, db, (*store.DB).Verify, report)
}

func visitValues(ctx context.Context, db *store.DB, visit func(*store.DB, context.Context, func(Tally)) error, report func(Tally)) error {
	missing := map[string]int{}
	damaged := 0
	err := visit(db, ctx, func(r Tally) {
		report(r)
		damaged += r.Damaged
		for id, n := range r.Unknown {
			missing[id] += n
		}
	})
	return errors.Join(err, missingKeys(missing), damagedRows(damaged))
}

// missingKeys returns an error that names the missing keys, with their numbers of rows.
func missingKeys(rows map[string]int) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		names = append(names, fmt.Sprintf("%q (%d)", id, rows[id]))
	}
	return fmt.Errorf("rows are encrypted with missing keys: %s; "+
		"add those keys to seal.keys, after the first one, and run this again", strings.Join(names, ", "))
}

func damagedRows(rows int) error {
	if rows == 0 {
		return nil
	}
	return fmt.Errorf("%d rows cannot be decrypted with the key that they name: "+
		"either the key was replaced by another one with the same id, or the rows are damaged", rows)
}
