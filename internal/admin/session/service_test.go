package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

func TestSignInStartsSessionOfKeyHolder(t *testing.T) {
	t.Parallel()
	s := newService(t, rohan, asha)
	s.wait(1234567 * time.Nanosecond)
	token, started, err := s.SignIn(t.Context(), ashasKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := begin.Add(time.Millisecond)
	if started != (session.Session{Admin: "asha", StartedAt: at, SeenAt: at}) || !started.EndsAt().Equal(at.Add(session.IdleTimeout)) {
		t.Errorf("got the session %+v, want one of asha at %s", started, at)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(token.Reveal()); err != nil || len(raw) != 32 {
		t.Errorf("got a token of %d bytes and %v, want 32 bytes", len(raw), err)
	}
	if other := s.signIn(t, ashasKey); other == token {
		t.Error("two sessions have the same token")
	}
	found, err := s.Find(t.Context(), token, true)
	if err != nil || found == nil || *found != started {
		t.Fatalf("found %+v and %v, want %+v", found, err, started)
	}
	if who := found.Principal(); who.Subject != "admin/asha" || who.Roles != auth.RoleAdmin {
		t.Errorf("got the principal %+v, want admin/asha with the admin role", who)
	}
}

func TestWrongKeyIsRefusedAndRecordedWithoutItsText(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	for _, c := range []struct {
		name, claimed string
		key           secret.Text
	}{
		{"another key of the name", "admin/asha", ashasKey[:len(ashasKey)-1] + "~"},
		{"truncated key", "admin/asha", "cbk_asha_abc"},
		{"key with a suffix", "admin/asha", ashasKey + " "},
		{"key that is not in the settings", "", rohansKey},
		{"key under another name", "", secret.Text(strings.Replace(ashasKey.Reveal(), "asha", "rohan", 1))},
		{"name in capitals", "", secret.Text(strings.Replace(ashasKey.Reveal(), "asha", "Asha", 1))},
		{"no key", "", ""},
		{"key without its prefix", "", ashasKey[len("cbk_asha_"):]},
		{"hash", "", asha.Hash},
		{"very long text", "", secret.Text(strings.Repeat("x", 5000))},
		{"very long key", "admin/asha", "cbk_asha_" + secret.Text(strings.Repeat("x", 5000))},
	} {
		before := len(s.store.records())
		token, started, err := s.SignIn(t.Context(), c.key, nil)
		if !errors.Is(err, session.ErrWrongKey) || token != "" || started != (session.Session{}) {
			t.Errorf("%s: got %v, want %v", c.name, err, session.ErrWrongKey)
		}
		trail := s.store.records()[before:]
		if len(trail) != 1 {
			t.Fatalf("%s: got %d records, want 1", c.name, len(trail))
		}
		r := trail[0]
		if r.Actor != "" || r.Object != c.claimed || r.Action != audit.AdminSignIn || r.Outcome != audit.Refused || r.Detail != "wrong_key" {
			t.Errorf("%s: got the record %+v, want a refused sign-in of %q", c.name, r, c.claimed)
		}
		if text := c.key.Reveal(); len(text) > 9 && strings.Contains(fmt.Sprint(r, err), text[9:]) {
			t.Errorf("%s: the record or the error contains the key", c.name)
		}
	}
	if len(s.store.sessions) != 0 {
		t.Error("a wrong key started a session")
	}
}

func TestKeyOfAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, session.Key{Name: "meera", Hash: asha.Hash})
	if _, _, err := s.SignIn(t.Context(), ashasKey, nil); !errors.Is(err, session.ErrWrongKey) {
		t.Errorf("got %v, want %v", err, session.ErrWrongKey)
	}
}

func TestSignInFailsWhenItCannotBeRecorded(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	s.store.setDown(true)
	for _, key := range []secret.Text{ashasKey, rohansKey} {
		if _, _, err := s.SignIn(t.Context(), key, nil); !errors.Is(err, errDown) {
			t.Errorf("got %v, want %v", err, errDown)
		}
	}
}

func TestSignInWithoutConfiguredKeysSaysHowToMakeOne(t *testing.T) {
	t.Parallel()
	_, _, err := newService(t).SignIn(t.Context(), ashasKey, nil)
	if !errors.Is(err, session.ErrNoKeys) || !strings.Contains(err.Error(), "broker admin-key") || !strings.Contains(err.Error(), "admin.keys") {
		t.Errorf("got %v, want how to make a key and where its hash belongs", err)
	}
}

func TestKeyWithOldHashIsAccepted(t *testing.T) {
	t.Parallel()
	s := newService(t, withOldHash(t, "asha", ashasKey), rohan)
	for _, key := range []secret.Text{ashasKey, rohansKey} {
		if !s.use(t, s.signIn(t, key)) {
			t.Errorf("%s: no session", key[:9].Reveal())
		}
	}
	for _, key := range []secret.Text{ashasKey[:len(ashasKey)-1] + "~", "cbk_asha_abc"} {
		if _, _, err := s.SignIn(t.Context(), key, nil); !errors.Is(err, session.ErrWrongKey) {
			t.Errorf("got %v, want %v", err, session.ErrWrongKey)
		}
	}
}

// TestUnknownNameCostsAsMuchAsKnownOne uses an old hash, whose cost shows as memory. It
// counts all bytes that are allocated, so no other test may run at the same time.
func TestUnknownNameCostsAsMuchAsKnownOne(t *testing.T) {
	s := newService(t, withOldHash(t, "asha", ashasKey))
	cost := func(key secret.Text) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _ = s.SignIn(t.Context(), key, nil)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, key := range []secret.Text{"cbk_asha_wrong", "cbk_rohan_wrong", "wrong", ""} {
		if n := cost(key); n < oldMemory {
			t.Errorf("%q: allocated %d bytes, want at least the %d of a comparison", key.Reveal(), n, oldMemory)
		}
	}
	if n := cost(secret.Text(strings.Repeat("x", 257))); n > oldMemory/10 {
		t.Errorf("key that is too long: allocated %d bytes, want no comparison", n)
	}
}

func TestWaitForComparisonWithOldHashEndsWithContext(t *testing.T) {
	t.Parallel()
	s := newService(t, withOldHash(t, "asha", ashasKey))
	release := session.HoldArgon2Slot()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, _, err := s.SignIn(ctx, ashasKey, nil)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	release()
	if n := len(s.store.records()); n != 0 {
		t.Errorf("got %d records of a key that was not compared, want none", n)
	}
}

func TestWrongKeysSentAtOnceAreComparedOnlyWithAReservation(t *testing.T) {
	t.Parallel()
	limited := errors.New("limited")
	for _, c := range []struct {
		name       string
		settings   session.Key
		reserveFor int // reservations that the right key needs
	}{
		{"hash", asha, 0},
		{"older hash", withOldHash(t, "asha", ashasKey), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, c.settings)
			var reserved atomic.Int64
			reserve := func() error {
				if reserved.Add(1) > 10 {
					return limited
				}
				return nil
			}
			if _, _, err := s.SignIn(t.Context(), ashasKey, reserve); err != nil || reserved.Load() != int64(c.reserveFor) {
				t.Fatalf("got %v and %d reservations, want %d", err, reserved.Load(), c.reserveFor)
			}
			var all sync.WaitGroup
			var wrong atomic.Int64
			for i := range 150 {
				all.Go(func() {
					_, _, err := s.SignIn(t.Context(), secret.Text(fmt.Sprintf("cbk_asha_guess%d", i)), reserve)
					if errors.Is(err, session.ErrWrongKey) {
						wrong.Add(1)
					} else if !errors.Is(err, limited) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if want := int64(10 - c.reserveFor); wrong.Load() != want {
				t.Errorf("got %d keys compared, want %d", wrong.Load(), want)
			}
			if n := len(s.store.records()); n != 11-c.reserveFor {
				t.Errorf("got %d records, want one of each key that was compared", n)
			}
			if _, _, err := s.SignIn(t.Context(), ashasKey, reserve); err != nil {
				t.Errorf("the right key: got %v", err)
			}
		})
	}
}

func TestConcurrentSignInsAllSucceed(t *testing.T) {
	t.Parallel()
	s := newService(t, asha, withOldHash(t, "rohan", rohansKey))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, _, err := s.SignIn(t.Context(), []secret.Text{ashasKey, rohansKey}[i%2], nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestSessionEndsAfterIdleTimeout(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	for range 5 { // each use prolongs it
		s.wait(session.IdleTimeout - time.Millisecond)
		if !s.use(t, token) {
			t.Fatal("the session ended although it was used")
		}
	}
	s.wait(session.IdleTimeout)
	if s.use(t, token) {
		t.Error("the session works after its idle timeout")
	}
	s.signIn(t, ashasKey)
	if s.use(t, token) {
		t.Error("another sign-in revived the session")
	}
}

func TestLookupWithoutTouchDoesNotProlongSession(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	for range 5 {
		s.wait(session.IdleTimeout / 6)
		if got, err := s.Find(t.Context(), token, false); err != nil || got == nil || !got.SeenAt.Equal(begin) {
			t.Fatalf("got %+v and %v, want a session last used at %s", got, err, begin)
		}
	}
	s.wait(session.IdleTimeout / 6)
	if got, err := s.Find(t.Context(), token, false); err != nil || got != nil {
		t.Errorf("got %+v and %v, want no session", got, err)
	}
}

func TestSessionEndsAfterTwelveHoursOfUse(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	for range 47 {
		s.wait(session.MaxAge / 48)
		if !s.use(t, token) {
			t.Fatal("the session ended although it was used")
		}
	}
	if got, err := s.Find(t.Context(), token, true); err != nil || !got.EndsAt().Equal(begin.Add(session.MaxAge)) {
		t.Errorf("got %+v and %v, want a session that ends at its maximum age", got, err)
	}
	s.wait(session.MaxAge / 48)
	if s.use(t, token) {
		t.Error("the session works after its maximum age")
	}
}

func TestUseIsStoredOnceAMinute(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	for range 120 {
		s.wait(time.Second)
		s.use(t, token)
	}
	if s.store.touches != 2 {
		t.Errorf("stored %d times in 2 minutes, want 2", s.store.touches)
	}
}

// untouchable is a store that fails to store the use of a session.
type untouchable struct{ *memoryStore }

func (untouchable) TouchSession(context.Context, session.Stored) error { return errDown }

func TestSessionIsNotProlongedWhenUseCannotBeStored(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	s.Store = untouchable{s.store}
	s.wait(session.IdleTimeout - time.Second)
	if got, err := s.Find(t.Context(), token, true); err != nil || got == nil || !got.EndsAt().Equal(begin.Add(session.IdleTimeout)) {
		t.Errorf("got %+v and %v, want a session with its first end", got, err)
	}
	s.wait(time.Second)
	if s.use(t, token) {
		t.Error("the session works after its idle timeout")
	}
}

func TestSessionEndsWhenItsKeyLeavesTheSettings(t *testing.T) {
	t.Parallel()
	s := newService(t, asha, rohan)
	token := s.signIn(t, ashasKey)
	_, renewed := mustKey("asha")
	for _, c := range []struct {
		name string
		keys []session.Key
		want bool
	}{
		{"key removed", []session.Key{rohan}, false},
		{"no keys", nil, false},
		{"key replaced", []session.Key{renewed, rohan}, false},
		{"key renamed", []session.Key{{Name: "asha-2", Hash: asha.Hash}}, false},
		{"same key, other position", []session.Key{rohan, asha}, true},
	} {
		s.Keys = c.keys
		if got := s.use(t, token); got != c.want {
			t.Errorf("%s: the session works: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSignOutEndsOnlyThatSession(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token, other := s.signIn(t, ashasKey), s.signIn(t, ashasKey)
	for range 2 {
		if err := s.SignOut(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if s.use(t, token) || !s.use(t, other) {
		t.Error("the wrong session ended, or more than one")
	}
	trail := s.store.records()
	if len(trail) != 3 {
		t.Fatalf("got %d records, want 3: %+v", len(trail), trail)
	}
	for i, action := range []audit.Action{audit.AdminSignIn, audit.AdminSignIn, audit.AdminSignOut} {
		r := trail[i]
		if r.Action != action || r.Actor != "admin/asha" || r.Role != "admin" || r.Outcome != audit.OK || !r.At.Equal(begin) {
			t.Errorf("got the record %+v, want %s of admin/asha", r, action)
		}
	}
}

func TestMalformedTokenIsNotLookedUp(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	s.store.calls = 0
	for _, malformed := range []secret.Text{"", "x", token + "x", token[1:], ashasKey, secret.Text(strings.Repeat("x", 1<<16))} {
		if s.use(t, malformed) || s.SignOut(t.Context(), malformed) != nil {
			t.Errorf("a token of %d bytes was accepted", len(malformed))
		}
	}
	if s.store.calls != 0 {
		t.Errorf("the store was called %d times, want 0", s.store.calls)
	}
	if s.use(t, secret.Text(strings.Repeat("x", len(token)))) {
		t.Error("an unknown token was accepted")
	}
}

func TestSessionSurvivesDatabaseOutage(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	s.store.setDown(true)
	if _, err := s.Find(t.Context(), token, true); !errors.Is(err, errDown) {
		t.Errorf("find: got %v, want %v", err, errDown)
	}
	if err := s.SignOut(t.Context(), token); !errors.Is(err, errDown) {
		t.Errorf("sign out: got %v, want %v", err, errDown)
	}
	s.store.setDown(false)
	if !s.use(t, token) {
		t.Error("the session ended")
	}
}

func TestNeitherKeyNorTokenIsStored(t *testing.T) {
	t.Parallel()
	s := newService(t, asha)
	token := s.signIn(t, ashasKey)
	for id, stored := range s.store.sessions {
		all := fmt.Sprintf("%s %s %s %+v", id, stored.ID, stored.KeyHash, s.store.records())
		for _, hidden := range []secret.Text{token, ashasKey[9:], asha.Hash} {
			if strings.Contains(all, hidden.Reveal()) {
				t.Errorf("the store has a secret: %s", all)
			}
		}
	}
}
