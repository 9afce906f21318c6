package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// Copied says what was found in a copy of a database.
type Copied struct {
	Records int // of the audit trail, which is intact
	Values  int // that are encrypted, and can be decrypted
	Steps   int // by which Restore migrated the copy
	// Unrecorded is why metrics do not know of the backup, nil if they do.
	Unrecorded error
	Before     string // where Restore has left the database before, "" if there was none
}

// Backup writes a copy of the SQLite database of the settings to the new file at path, while
// brokers serve, and checks the copy as Restore does. Only its owner can read the file. On an error
// there is no file.
func Backup(ctx context.Context, c config.Config, o Options, path string) (Copied, error) {
	from, err := store.SQLitePath(c.Store.URL.Reveal())
	if err != nil {
		return Copied{}, err
	}
	if _, err := os.Lstat(path); err == nil {
		return Copied{}, fmt.Errorf("%s exists already; backups are not overwritten", path)
	}
	if _, err := os.Stat(from); err != nil {
		return Copied{}, fmt.Errorf("store.url: %w", err)
	}
	if err := store.CheckTorn(from); err != nil {
		return Copied{}, err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".backup-*") // only its owner can open it
	if err != nil {
		return Copied{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	copied := filepath.Join(folder, "broker.db")
	if err := store.CopySQLite(ctx, from, copied); err != nil {
		return Copied{}, err
	}
	found, err := checkCopy(ctx, c, o, copied, false)
	if err != nil {
		return found, fmt.Errorf("the copy is not usable: %w", err)
	}
	if err := store.MoveNew(copied, path); err != nil {
		return found, err
	}
	found.Unrecorded = RecordBackup(ctx, c, o)
	return found, nil
}

// RecordBackup records in the database of the settings that a backup was made now, which metrics of
// the brokers say.
func RecordBackup(ctx context.Context, c config.Config, o Options) (err error) {
	db, _, err := openStore(c, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := usable(ctx, db); err != nil {
		return err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return db.RecordDone(ctx, taskBackup, now())
}

// Restore puts a copy of the file at path, made by Backup or of all files of a stopped broker's
// database, in the place of the SQLite database of the settings, which no broker may have
// open. Before that it checks that the copy is whole, that the keys of the settings decrypt
// everything in it, and that its audit trail is intact, also compared with the anchors that
// readAnchors returns; report is called with each damage. It migrates the copy. The database before
// is renamed.
func Restore(ctx context.Context, c config.Config, o Options, path string, anchors AnchorReader, report func(audit.Break)) (Copied, error) {
	to, err := store.SQLitePath(c.Store.URL.Reveal())
	if err != nil {
		return Copied{}, err
	}
	if err := store.CheckUnused(ctx, to); err != nil {
		return Copied{}, fmt.Errorf("%s: %w", to, err)
	}
	if err := store.CheckTorn(path); err != nil {
		return Copied{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return Copied{}, err
	}
	folder, err := os.MkdirTemp(filepath.Dir(to), ".restore-*")
	if err != nil {
		return Copied{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	copied := filepath.Join(folder, "broker.db")
	if err := store.CheckIntegrity(ctx, path); err != nil {
		return Copied{}, err
	}
	if err := store.CopySQLite(ctx, path, copied); err != nil {
		return Copied{}, err
	}
	found, err := checkCopyWith(ctx, c, o, copied, true, anchors, report)
	if err != nil {
		return found, fmt.Errorf("nothing was replaced: %w", err)
	}
	if err := store.CheckUnused(ctx, to); err != nil { // a broker may have been started meanwhile
		return found, fmt.Errorf("%s: %w", to, err)
	}
	found.Before, err = store.Replace(copied, to, ".before-"+time.Now().UTC().Format("20060102T150405Z"))
	return found, err
}

// AnchorReader returns the anchors that a trail is compared with.
type AnchorReader func(*Trail) ([]audit.Anchor, error)

var errTrail = errors.New("the audit trail in it is incomplete or was changed")

func checkCopy(ctx context.Context, c config.Config, o Options, path string, migrate bool) (Copied, error) {
	return checkCopyWith(ctx, c, o, path, migrate, func(*Trail) ([]audit.Anchor, error) { return nil, nil }, func(audit.Break) {})
}

// checkCopyWith checks the SQLite database at path, which no other process uses.
func checkCopyWith(ctx context.Context, c config.Config, o Options, path string, migrate bool, anchors AnchorReader, report func(audit.Break)) (found Copied, err error) {
	if err := store.CheckIntegrity(ctx, path); err != nil {
		return found, err
	}
	c.Store.URL = secret.URL("sqlite:" + path)
	db, box, err := openStore(c, o)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close(), store.CheckTorn(path)) }()
	if migrate {
		if found.Steps, err = db.Migrate(ctx); err != nil {
			return found, err
		}
	}
	if err := usable(ctx, db); err != nil {
		return found, err
	}
	trail := &Trail{Service: &audit.Service{Store: db, Chains: db, Box: box}, db: db}
	list, err := anchors(trail)
	if err != nil {
		return found, err
	}
	audited, err := trail.Verify(ctx, report, list...)
	if err != nil {
		return found, err
	}
	found.Records = int(audited.Records)
	if audited.Broken > 0 {
		return found, errTrail
	}
	err = verifyValues(ctx, db, func(t Tally) { found.Values += t.Rows })
	return found, err
}

// logTorn logs that the SQLite file of the settings lacks its newest changes, if it says so. The
// start goes on without them.
func logTorn(c config.Store, log *slog.Logger) {
	if path, err := store.SQLitePath(c.URL.Reveal()); err == nil {
		if err := store.CheckTorn(path); err != nil {
			log.Error("the database may lack its newest changes", "file", path, "error", err)
		}
	}
}
