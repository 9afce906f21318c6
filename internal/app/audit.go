package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// flushEvery is how long reuses and refusals wait at most to be put on record.
const flushEvery = 2 * time.Second

// newJournal returns what takes note of reuses and refusals. Its first record tells
// of the start.
func (a *App) newJournal(d doors, o Options) (*audit.Journal, error) {
	c := a.settings
	hash, err := fingerprint(c, d.box)
	if err != nil {
		return nil, err
	}
	j := &audit.Journal{Book: d.store, Now: o.Now, Reuse: audit.Reuse(c.Audit.Reuse)}
	start := audit.New(context.Background(), o.Now(), audit.Broker, audit.BrokerStart, "", "settings:"+hash)
	j.Note(start.Saying("version=" + Version()))
	a.onClose(func() error {
		if err := j.Close(); err != nil {
			a.log.Error("audit records are lost", "error", err)
		}
		return nil
	})
	a.chores = append(a.chores, chore{name: "write audit records", every: flushEvery, atStart: true, do: whole(j.Flush)})
	return j, nil
}

// unaudited returns what is told of changes without their record, nil where there
// are to be none.
func (a *App) unaudited() func(error) {
	if a.settings.Audit.WhenUnwritable == config.UnwritableRefuse {
		return nil
	}
	return func(err error) {
		a.metrics.CountUnaudited()
		a.log.Error("the audit trail cannot be written, and the broker goes on all the same", "error", err)
	}
}

// fingerprint is the same for the same settings, secrets included, of which it tells
// nothing: it is made with the key of box.
func fingerprint(c config.Config, box *secret.Box) (string, error) {
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		return "", fmt.Errorf("hash the settings: %w", err)
	}
	for _, s := range hidden(c) {
		fmt.Fprintf(&b, "%d:%s\n", len(s), s.Reveal())
	}
	return hex.EncodeToString(box.Digest("settings", b.Bytes())[:16]), nil
}

// Version returns the version of the program and of the compiler that made it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

// Trail is the audit trail of a database that was opened for one command.
type Trail struct {
	*audit.Service
	db *store.DB
}

// OpenTrail opens the audit trail of the settings; brokers may serve meanwhile. It
// fails when the database is not migrated or its keys are wrong. The Trail is to be closed.
func OpenTrail(ctx context.Context, c config.Config, o Options) (*Trail, error) {
	db, box, err := openStore(c, o)
	if err != nil {
		return nil, err
	}
	if err := usable(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &Trail{Service: &audit.Service{Book: db, Chains: db, Box: box}, db: db}, nil
}

// Close closes the database.
func (t *Trail) Close() error { return t.db.Close() }
