package session_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// begin is when the clock of every test starts.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

var errAway = errors.New("the database is away")

// drawer keeps sessions and records in memory, and can be away.
type drawer struct {
	mu      sync.Mutex
	kept    map[string]session.Kept
	trail   []audit.Record
	touched int
	asked   int
	away    bool
}

// use calls do unless the drawer is away.
func (d *drawer) use(do func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.away {
		return errAway
	}
	do()
	return nil
}

func (d *drawer) StartSession(_ context.Context, k session.Kept, rested time.Time, r audit.Record) error {
	return d.use(func() {
		for id, old := range d.kept {
			if old.SeenAt.Before(rested) {
				delete(d.kept, id)
			}
		}
		d.kept[string(k.ID)] = k
		d.trail = append(d.trail, r)
	})
}

func (d *drawer) Session(_ context.Context, id []byte) (found *session.Kept, err error) {
	err = d.use(func() {
		if k, ok := d.kept[string(id)]; ok {
			found = &k
		}
	})
	return found, err
}

func (d *drawer) TouchSession(_ context.Context, id []byte, then time.Time) error {
	return d.use(func() {
		k := d.kept[string(id)]
		k.SeenAt = then
		d.kept[string(id)] = k
		d.touched++
	})
}

func (d *drawer) EndSession(_ context.Context, id []byte, r audit.Record) error {
	return d.use(func() {
		if _, ok := d.kept[string(id)]; ok {
			delete(d.kept, string(id))
			d.trail = append(d.trail, r)
		}
	})
}

func (d *drawer) Append(ctx context.Context, records ...audit.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.use(func() { d.trail = append(d.trail, records...) })
}

// setAway has the drawer fail, or work again.
func (d *drawer) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

// records is what is in the trail by now.
func (d *drawer) records() []audit.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trail
}

// desk is a Service over a drawer, with a clock that the test moves.
type desk struct {
	*session.Service
	drawer *drawer
	passed atomic.Int64
}

func newDesk(t testing.TB, keys ...session.Key) *desk {
	t.Helper()
	d := &desk{drawer: &drawer{kept: map[string]session.Kept{}}}
	d.Service = &session.Service{
		Keys: keys, Keeper: d.drawer, Box: storetest.NewBox(t), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(d.passed.Load())) },
	}
	return d
}

func (d *desk) wait(passes time.Duration) { d.passed.Add(int64(passes)) }

// signIn is SignIn where nothing may go wrong.
func (d *desk) signIn(t testing.TB, key secret.Text) secret.Text {
	t.Helper()
	token, _, err := d.SignIn(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// lives reports whether token stands for a session, which it uses.
func (d *desk) lives(t testing.TB, token secret.Text) bool {
	t.Helper()
	k, err := d.Find(t.Context(), token, true)
	if err != nil {
		t.Fatal(err)
	}
	return k != nil
}

// The admin keys of asha, who is in the settings of most tests, and of rohan.
var ashasKey, asha = mustKey("asha")
var rohansKey, rohan = mustKey("rohan")

func mustKey(name string) (secret.Text, session.Key) {
	key, hash, err := session.NewKey(name)
	if err != nil {
		panic(err)
	}
	return key, session.Key{Name: name, Hash: secret.Text(hash)}
}
