package session_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/secret"
)

// begin is when the clock of every test starts.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

var errDown = errors.New("the database is down")

// memoryStore keeps sessions and audit records in memory.
type memoryStore struct {
	mu       sync.Mutex
	sessions map[string]session.Stored
	trail    []audit.Record
	touches  int
	calls    int
	down     bool // every call fails with errDown
}

// call runs do under the lock unless the store is down.
func (m *memoryStore) call(do func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.down {
		return errDown
	}
	do()
	return nil
}

func (m *memoryStore) StartSession(_ context.Context, s session.Stored, idleSince time.Time, r audit.Record) error {
	return m.call(func() {
		for id, old := range m.sessions {
			if old.SeenAt.Before(idleSince) {
				delete(m.sessions, id)
			}
		}
		m.sessions[string(s.ID)] = s
		m.trail = append(m.trail, r)
	})
}

func (m *memoryStore) Session(_ context.Context, id []byte) (found *session.Stored, err error) {
	err = m.call(func() {
		if s, ok := m.sessions[string(id)]; ok {
			found = &s
		}
	})
	return found, err
}

func (m *memoryStore) TouchSession(_ context.Context, s session.Stored) error {
	return m.call(func() {
		m.sessions[string(s.ID)] = s
		m.touches++
	})
}

func (m *memoryStore) EndSession(_ context.Context, id []byte, r audit.Record) error {
	return m.call(func() {
		if _, ok := m.sessions[string(id)]; ok {
			delete(m.sessions, string(id))
			m.trail = append(m.trail, r)
		}
	})
}

func (m *memoryStore) Append(ctx context.Context, records ...audit.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.call(func() { m.trail = append(m.trail, records...) })
}

func (m *memoryStore) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// records returns the audit records so far.
func (m *memoryStore) records() []audit.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trail
}

// testService is a Service with a memoryStore and a clock that the test moves.
type testService struct {
	*session.Service
	store  *memoryStore
	passed atomic.Int64
}

func newService(t testing.TB, keys ...session.Key) *testService {
	t.Helper()
	s := &testService{store: &memoryStore{sessions: map[string]session.Stored{}}}
	s.Service = &session.Service{
		Keys: keys, Store: s.store, Box: newBox(t), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return begin.Add(time.Duration(s.passed.Load())) },
	}
	return s
}

// wait moves the clock.
func (s *testService) wait(d time.Duration) { s.passed.Add(int64(d)) }

// signIn signs in with a key that must be accepted.
func (s *testService) signIn(t testing.TB, key secret.Text) secret.Text {
	t.Helper()
	token, _, err := s.SignIn(t.Context(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// use reports whether token has a session, and uses it.
func (s *testService) use(t testing.TB, token secret.Text) bool {
	t.Helper()
	found, err := s.Find(t.Context(), token, true)
	if err != nil {
		t.Fatal(err)
	}
	return found != nil
}

func newBox(t testing.TB) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(secret.RandomKey(), secret.Key{ID: "k1", Secret: secret.RandomKey()})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// The admin keys of asha, which most tests have in the settings, and of rohan.
var ashasKey, asha = mustKey("asha")
var rohansKey, rohan = mustKey("rohan")

func mustKey(name string) (secret.Text, session.Key) {
	key, hash, err := session.NewKey(name)
	if err != nil {
		panic(err)
	}
	return key, session.Key{Name: name, Hash: secret.Text(hash)}
}

// withOldHash returns the settings of an admin key as releases before 0.2.0 made them.
func withOldHash(t testing.TB, name string, key secret.Text) session.Key {
	t.Helper()
	hash, err := argon2id.CreateHash(key.Reveal(), &argon2id.Params{Memory: oldMemory >> 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	return session.Key{Name: name, Hash: secret.Text(hash)}
}

// oldMemory is what a comparison with a hash of withOldHash allocates, in bytes.
const oldMemory = 19 << 20
