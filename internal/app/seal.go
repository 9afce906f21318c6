package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// LostKey is a sealing key whose file cannot be used. What it sealed cannot be read
// until the file is back.
type LostKey struct {
	ID   string
	File string
	Err  error
}

// LostKeys returns the sealing keys of the settings without which the broker starts
// all the same: they are not the first.
func LostKeys(c config.Config) []LostKey {
	_, lost, _ := readKeys(c.Seal)
	return lost
}

// readKeys returns the settings with the keys of files in the place of the files,
// and without those that are lost. Without the first nothing could be sealed, so
// that is an error.
func readKeys(c config.Seal) (config.Seal, []LostKey, error) {
	var lost []LostKey
	var wrong []error
	keys := make([]config.SealKey, 0, len(c.Keys))
	for i, k := range c.Keys {
		if k.File == "" || k.Key != "" { // with both, the settings are wrong anyway
			keys = append(keys, k)
			continue
		}
		text, err := readKey(k.File)
		switch {
		case err != nil && i == 0:
			wrong = append(wrong, fmt.Errorf("seal.keys[0].file: the key that seals is needed to start: %w", err))
		case err != nil:
			lost = append(lost, LostKey{ID: k.ID, File: k.File, Err: err})
		case text == c.HashKey:
			wrong = append(wrong, fmt.Errorf("seal.keys[%d].file: want another key than seal.hash_key", i))
		default:
			keys = append(keys, config.SealKey{ID: k.ID, Key: text})
		}
	}
	c.Keys = keys
	return c, lost, errors.Join(wrong...)
}

// readKey returns the base64 text of the key in the file at path.
func readKey(path string) (secret.Text, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	text := secret.Text(strings.TrimSpace(string(b)))
	if _, err := config.DecodeKey(text); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// warnOfLost tells the operator of each lost key.
func warnOfLost(log *slog.Logger, lost []LostKey) {
	for _, k := range lost {
		log.Error("a sealing key cannot be used; what it sealed is unreadable until its file is back",
			"key_id", k.ID, "file", k.File, "error", k.Err)
	}
}

// newBox makes the box of settings that readKeys has been through.
func newBox(c config.Seal) (*secret.Box, error) {
	hash, err := config.DecodeKey(c.HashKey)
	if err != nil {
		return nil, fmt.Errorf("seal.hash_key: %w", err)
	}
	keys := make([]secret.Key, 0, len(c.Keys))
	for i, k := range c.Keys {
		key, err := config.DecodeKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("seal.keys[%d].key: %w", i, err)
		}
		keys = append(keys, secret.Key{ID: k.ID, Secret: key})
	}
	return secret.NewBox(hash, keys...)
}

// openStore opens the database of the settings for one command.
func openStore(c config.Config) (*store.DB, error) {
	seal, _, err := readKeys(c.Seal)
	if err != nil {
		return nil, err
	}
	box, err := newBox(seal)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(store.Options{URL: c.Store.URL, Box: box})
	if err != nil {
		return nil, fmt.Errorf("store.url: %w", err)
	}
	return db, nil
}

// Migrate brings the database of the settings to the newest form and returns how
// many steps that took.
func Migrate(ctx context.Context, c config.Config) (int, error) {
	db, err := openStore(c)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	return db.Migrate(ctx)
}

// Resealed says how sealing the values of one table anew ended.
type Resealed = store.Resealed

// Rotate seals everything anew under the first sealing key, while brokers serve,
// and has report say how each table ended. It fails when the database is not
// migrated, and names the keys that are missing when something is left that does
// not open. It may be ended at any moment and called again.
func Rotate(ctx context.Context, c config.Config, report func(Resealed)) error {
	db, err := openStore(c)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Ready(ctx); err != nil {
		return err
	}
	missing := map[string]int{}
	damaged := 0
	err = db.Reseal(ctx, func(r Resealed) {
		report(r)
		damaged += r.Damaged
		for id, n := range r.Unknown {
			missing[id] += n
		}
	})
	return errors.Join(err, missingKeys(missing), damagedRows(damaged))
}

// missingKeys names the keys under which rows were left.
func missingKeys(rows map[string]int) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		names = append(names, fmt.Sprintf("%q (%d)", id, rows[id]))
	}
	return fmt.Errorf("rows were left that are sealed under keys which are missing: %s; "+
		"put those keys behind the first one in seal.keys, and run this again", strings.Join(names, ", "))
}

func damagedRows(rows int) error {
	if rows == 0 {
		return nil
	}
	return fmt.Errorf("%d rows do not open under the key that they name and were left as they are; "+
		"either that key is not the one it was, or the rows are damaged", rows)
}
