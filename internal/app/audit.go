package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
	"casbroker/internal/store"
)

// recordReads returns a function that records the reads of services, and of users who read
// their own data.
func recordReads(recorder *audit.Recorder) func(ctx context.Context, user auth.Principal, route string) error {
	return func(ctx context.Context, user auth.Principal, route string) error {
		return recorder.RecordRead(ctx, user.Actor, user.Subject, route)
	}
}

// refusalReason returns what the record of a refusal has as its detail: the code of the fault,
// and, after a colon, which check failed.
func refusalReason(f *fault.Fault) string {
	if f.Reason == "" {
		return f.Code
	}
	return f.Code + ":" + f.Reason
}

// startRecord returns the audit record of a start, which has the build and a fingerprint
// of the settings.
func startRecord(c config.Config, box *secret.Box, at time.Time) (audit.Record, error) {
	hash, err := fingerprint(c, box)
	if err != nil {
		return audit.Record{}, err
	}
	start := audit.New(context.Background(), at, audit.Broker, audit.BrokerStart, "", "settings:"+hash)
	return start.WithDetail("version=" + BuildInfo().String()), nil
}

// fingerprint returns a hash of all settings, secrets included. It is keyed with a key of
// box, so it reveals nothing about them.
func fingerprint(c config.Config, box *secret.Box) (string, error) {
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		return "", fmt.Errorf("hash the settings: %w", err)
	}
	for _, s := range secrets(c) {
		fmt.Fprintf(&b, "%d:%s\n", len(s), s.Reveal())
	}
	return hex.EncodeToString(box.Digest("settings", b.Bytes())[:16]), nil
}

// publishAnchors returns the job that publishes anchors of the audit trail; none if the settings
// want no anchors. The last one is published when the App is closed, after what is closed
// before the database.
func (a *App) publishAnchors(db *store.DB, box *secret.Box, now func() time.Time) []job {
	settings := a.settings.Audit.Anchor
	if settings.Every == 0 {
		return nil
	}
	p := &audit.Publisher{
		Trail: &audit.Service{Store: db, Chains: db, Box: box}, Log: a.log, Now: now, File: settings.File, URL: settings.URL, Client: &http.Client{},
	}
	a.onClose(func() error {
		if err := p.Close(); err != nil {
			a.log.Warn("the last audit anchor cannot be written", "error", err)
		}
		return nil
	})
	return []job{{name: "publish an audit anchor", every: settings.Every, atStart: true, do: uninterrupted(p.Publish)}}
}

// Trail is the audit trail of a database opened for one command.
type Trail struct {
	*audit.Service
	db *store.DB
}

// OpenTrail opens the audit trail in the database of the settings; brokers may serve
// meanwhile. It fails if the database is not migrated or its keys are wrong. The caller
// must close the Trail.
func OpenTrail(ctx context.Context, c config.Config, o Options) (*Trail, error) {
	if path, err := store.SQLitePath(c.Store.URL.Reveal()); err == nil {
		if err := store.CheckTorn(path); err != nil {
			return nil, err
		}
	}
	db, box, err := openStore(c, o)
	if err != nil {
		return nil, err
	}
	if err := usable(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &Trail{Service: &audit.Service{Store: db, Chains: db, Box: box}, db: db}, nil
}

// Close closes the database.
func (t *Trail) Close() error { return t.db.Close() }
