package store_test

import (
	"sync"
	"testing"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

var signedInAt = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// signIn starts a session of asha at the instant at.
func signIn(t *testing.T, s *store.DB, id string, at time.Time) {
	t.Helper()
	k := session.Stored{
		ID: []byte(id), KeyHash: []byte{0, 0xff, 1}, MAC: []byte("first"), Session: session.Session{Admin: "asha", StartedAt: at, SeenAt: at},
	}
	r := audit.New(t.Context(), at, "admin/asha", audit.AdminSignIn, "", "")
	if err := s.StartSession(t.Context(), k, at.Add(-session.IdleTimeout), r); err != nil {
		t.Fatal(err)
	}
}

// touch stores that a session was used, passed after it began, with a MAC that says so.
func touch(t *testing.T, s *store.DB, id string, passed time.Duration) {
	t.Helper()
	k := session.Stored{ID: []byte(id), MAC: []byte("of " + passed.String()), Session: session.Session{SeenAt: signedInAt.Add(passed)}}
	if err := s.TouchSession(t.Context(), k); err != nil {
		t.Fatal(err)
	}
}

// sessionOf returns the session called id, or nil.
func sessionOf(t *testing.T, s *store.DB, id string) *session.Stored {
	t.Helper()
	k, err := s.Session(t.Context(), []byte(id))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// done counts the audit records of action.
func done(t *testing.T, s *store.DB, action audit.Action) int {
	t.Helper()
	list, err := s.Records(t.Context(), audit.Filter{Action: action}, audit.Cursor{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSessionIsReadBackAsItWasStored(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		signIn(t, s, "one", signedInAt.Add(7*time.Millisecond))
		k := sessionOf(t, s, "one")
		if k == nil || string(k.ID) != "one" || string(k.KeyHash) != "\x00\xff\x01" || string(k.MAC) != "first" || k.Admin != "asha" ||
			!k.StartedAt.Equal(signedInAt.Add(7*time.Millisecond)) || !k.SeenAt.Equal(k.StartedAt) {
			t.Errorf("got %+v", k)
		}
		if k := sessionOf(t, s, "two"); k != nil {
			t.Errorf("a session that never began: %+v", k)
		}
	})
}

func TestSignInDeletesIdleSessions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		signIn(t, s, "old", signedInAt)
		signIn(t, s, "used", signedInAt)
		touch(t, s, "used", time.Minute)
		signIn(t, s, "new", signedInAt.Add(session.IdleTimeout+time.Second))
		if sessionOf(t, s, "old") != nil || sessionOf(t, s, "used") == nil || sessionOf(t, s, "new") == nil {
			t.Error("another session than the idle one is gone")
		}
	})
}

func TestLastUseOfASessionNeverGoesBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		signIn(t, s, "one", signedInAt)
		for _, passed := range []time.Duration{5 * time.Minute, 2 * time.Minute} { // the second comes from a slow replica
			touch(t, s, "one", passed)
		}
		if k := sessionOf(t, s, "one"); !k.SeenAt.Equal(signedInAt.Add(5*time.Minute)) || !k.StartedAt.Equal(signedInAt) || string(k.MAC) != "of 5m0s" {
			t.Errorf("got %+v", k)
		}
		if touch(t, s, "none", 0); sessionOf(t, s, "none") != nil {
			t.Error("touching no session made one")
		}
	})
}

func TestConcurrentSignOutsEndASessionOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		signIn(t, s, "one", signedInAt)
		signIn(t, s, "two", signedInAt)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				r := audit.New(t.Context(), signedInAt, "admin/asha", audit.AdminSignOut, "", "")
				if err := s.EndSession(t.Context(), []byte("one"), r); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if sessionOf(t, s, "one") != nil || sessionOf(t, s, "two") == nil {
			t.Error("another session is gone")
		}
		if n := done(t, s, audit.AdminSignOut); n != 1 {
			t.Errorf("%d records of one sign-out", n)
		}
	})
}

func TestSessionAndItsAuditRecordAreAtomic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		ctx := t.Context()
		r := audit.New(ctx, signedInAt, "admin/asha", audit.AdminSignIn, "", "")
		if err := s.Append(ctx, r); err != nil {
			t.Fatal(err)
		}
		k := session.Stored{ID: []byte("one"), KeyHash: []byte("m"), Session: session.Session{Admin: "asha", StartedAt: signedInAt, SeenAt: signedInAt}}
		if err := s.StartSession(ctx, k, signedInAt, r); err == nil || sessionOf(t, s, "one") != nil {
			t.Errorf("a session without its record was stored: %v", err)
		}
		signIn(t, s, "two", signedInAt)
		if err := s.EndSession(ctx, []byte("two"), r); err == nil || sessionOf(t, s, "two") == nil {
			t.Errorf("a session ended without its record: %v", err)
		}
	})
}
