package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/admin/session"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

func TestAKeyBecomesASessionOfItsAdmin(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rohan, asha)
	d.wait(1234567 * time.Nanosecond)
	token, k, err := d.SignIn(t.Context(), ashasKey)
	if err != nil {
		t.Fatal(err)
	}
	at := begin.Add(time.Millisecond)
	if k != (session.Session{Admin: "asha", StartedAt: at, SeenAt: at}) || !k.EndsAt().Equal(at.Add(session.Rest)) {
		t.Errorf("%+v", k)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(token.Reveal()); err != nil || len(raw) != 32 {
		t.Errorf("a token of %d bytes: %v", len(raw), err)
	}
	if other := d.signIn(t, ashasKey); other == token {
		t.Error("two sessions have the same token")
	}
	found, err := d.Find(t.Context(), token, true)
	if err != nil || found == nil || *found != k {
		t.Fatalf("%+v %v", found, err)
	}
	if who := found.Principal(); who.Subject != "admin/asha" || who.Roles != auth.RoleAdmin {
		t.Errorf("%+v", who)
	}
}

func TestAWrongKeyIsRefusedAndRecordedWithoutWhatWasTyped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	for _, c := range []struct {
		sentence, claimed string
		key               secret.Text
	}{
		{"another key for the name", "admin/asha", ashasKey[:len(ashasKey)-1] + "~"},
		{"a key cut short", "admin/asha", "cbk_asha_abc"},
		{"a key with something behind it", "admin/asha", ashasKey + " "},
		{"a key of one who is not in the settings", "", rohansKey},
		{"a key under another's name", "", secret.Text(strings.Replace(ashasKey.Reveal(), "asha", "rohan", 1))},
		{"the name with other letters", "", secret.Text(strings.Replace(ashasKey.Reveal(), "asha", "Asha", 1))},
		{"no key at all", "", ""},
		{"the rest of a key", "", ashasKey[len("cbk_asha_"):]},
		{"the hash", "", asha.Hash},
		{"a very long one", "", secret.Text(strings.Repeat("x", 5000))},
		{"a very long one of a name", "admin/asha", "cbk_asha_" + secret.Text(strings.Repeat("x", 5000))},
	} {
		before := len(d.drawer.records())
		token, k, err := d.SignIn(t.Context(), c.key)
		if !errors.Is(err, session.ErrWrongKey) || token != "" || k != (session.Session{}) {
			t.Errorf("%s: %v", c.sentence, err)
		}
		trail := d.drawer.records()[before:]
		if len(trail) != 1 {
			t.Fatalf("%s: %d records", c.sentence, len(trail))
		}
		r := trail[0]
		if r.Actor != "" || r.Object != c.claimed || r.Action != audit.AdminSignIn || r.Outcome != audit.Refused || r.Detail != "wrong_key" {
			t.Errorf("%s: %+v", c.sentence, r)
		}
		if typed := c.key.Reveal(); len(typed) > 9 && strings.Contains(fmt.Sprint(r, err), typed[9:]) {
			t.Errorf("%s: what was typed is shown", c.sentence)
		}
	}
	if len(d.drawer.kept) != 0 {
		t.Error("a wrong key made a session")
	}
}

func TestAKeyUnderAnotherNameInTheSettingsIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Key{Name: "meera", Hash: asha.Hash})
	if _, _, err := d.SignIn(t.Context(), ashasKey); !errors.Is(err, session.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

func TestAWrongKeyThatCannotBeRecordedIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	d.drawer.setAway(true)
	for _, key := range []secret.Text{ashasKey, rohansKey} {
		if _, _, err := d.SignIn(t.Context(), key); !errors.Is(err, errAway) {
			t.Errorf("got %v", err)
		}
	}
}

func TestWithoutKeysNobodySignsInAndIsToldHowToMakeOne(t *testing.T) {
	t.Parallel()
	_, _, err := newDesk(t).SignIn(t.Context(), ashasKey)
	if !errors.Is(err, session.ErrNoKeys) || !strings.Contains(err.Error(), "broker admin-key") || !strings.Contains(err.Error(), "admin.keys") {
		t.Errorf("got %v", err)
	}
}

// It counts the bytes that are asked for, so nothing else may run.
func TestANameThatIsNotThereCostsAsMuchAsOneThatIs(t *testing.T) {
	d := newDesk(t, asha)
	cost := func(key secret.Text) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _ = d.SignIn(t.Context(), key)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const memory = 19 << 20
	for _, key := range []secret.Text{"cbk_asha_wrong", "cbk_rohan_wrong", "wrong", ""} {
		if n := cost(key); n < memory {
			t.Errorf("%q: %d bytes, the hash takes %d", key.Reveal(), n, memory)
		}
	}
	if n := cost(secret.Text(strings.Repeat("x", 257))); n > memory/10 {
		t.Errorf("a key that is too long: %d bytes", n)
	}
}

func TestWhoWaitsForATurnMayGoAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	end := session.Busy()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, _, err := d.SignIn(ctx, ashasKey)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	end()
	if n := len(d.drawer.records()); n != 0 {
		t.Errorf("%d records of what was never tried", n)
	}
}

func TestManySignInsAtOnceAllEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha, rohan)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, _, err := d.SignIn(t.Context(), []secret.Text{ashasKey, rohansKey}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestASessionEndsAfterHalfAnHourOfRest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	for range 5 { // each use prolongs it
		d.wait(session.Rest - time.Millisecond)
		if !d.lives(t, token) {
			t.Fatal("it ended while it was used")
		}
	}
	d.wait(session.Rest)
	if d.lives(t, token) {
		t.Error("it lives after its rest")
	}
	d.signIn(t, ashasKey)
	if d.lives(t, token) {
		t.Error("it came back")
	}
}

func TestAPageThatRefreshesItselfDoesNotKeepASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	for range 5 {
		d.wait(session.Rest / 6)
		if k, err := d.Find(t.Context(), token, false); err != nil || k == nil || !k.SeenAt.Equal(begin) {
			t.Fatalf("%+v %v", k, err)
		}
	}
	d.wait(session.Rest / 6)
	if k, err := d.Find(t.Context(), token, false); err != nil || k != nil {
		t.Errorf("%+v %v", k, err)
	}
}

func TestASessionEndsAfterTwelveHoursHoweverMuchItIsUsed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	for range 47 {
		d.wait(session.Longest / 48)
		if !d.lives(t, token) {
			t.Fatal("it ended while it was used")
		}
	}
	if k, err := d.Find(t.Context(), token, true); err != nil || !k.EndsAt().Equal(begin.Add(session.Longest)) {
		t.Errorf("%+v %v", k, err)
	}
	d.wait(session.Longest / 48)
	if d.lives(t, token) {
		t.Error("it lives on")
	}
}

func TestAUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	for range 120 {
		d.wait(time.Second)
		d.lives(t, token)
	}
	if d.drawer.touched != 2 {
		t.Errorf("noted %d times in 2 minutes", d.drawer.touched)
	}
}

// stiff is a drawer in which no use can be noted.
type stiff struct{ *drawer }

func (stiff) TouchSession(context.Context, []byte, time.Time) error { return errAway }

func TestASessionIsGoodForWhatIsLeftWhenItsUseCannotBeNoted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	d.Keeper = stiff{d.drawer}
	d.wait(session.Rest - time.Second)
	if k, err := d.Find(t.Context(), token, true); err != nil || k == nil || !k.EndsAt().Equal(begin.Add(session.Rest)) {
		t.Errorf("%+v %v", k, err)
	}
	d.wait(time.Second)
	if d.lives(t, token) {
		t.Error("it lives after its rest")
	}
}

func TestASessionEndsWithItsKeyInTheSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha, rohan)
	token := d.signIn(t, ashasKey)
	_, renewed := mustKey("asha")
	for _, c := range []struct {
		sentence string
		keys     []session.Key
		lives    bool
	}{
		{"without the admin", []session.Key{rohan}, false},
		{"without anybody", nil, false},
		{"with another key of the admin", []session.Key{renewed, rohan}, false},
		{"with the admin under another name", []session.Key{{Name: "asha-2", Hash: asha.Hash}}, false},
		{"with the same key elsewhere in the list", []session.Key{rohan, asha}, true},
	} {
		d.Keys = c.keys
		if got := d.lives(t, token); got != c.lives {
			t.Errorf("%s: %v", c.sentence, got)
		}
	}
}

func TestSigningOutEndsTheSessionAndOnlyIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token, other := d.signIn(t, ashasKey), d.signIn(t, ashasKey)
	for range 2 {
		if err := d.SignOut(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if d.lives(t, token) || !d.lives(t, other) {
		t.Error("not just this one ended")
	}
	trail := d.drawer.records()
	if len(trail) != 3 {
		t.Fatalf("%+v", trail)
	}
	for i, action := range []audit.Action{audit.AdminSignIn, audit.AdminSignIn, audit.AdminSignOut} {
		r := trail[i]
		if r.Action != action || r.Actor != "admin/asha" || r.Role != "admin" || r.Outcome != audit.OK || !r.At.Equal(begin) {
			t.Errorf("%+v", r)
		}
	}
}

func TestRubbishIsNoSessionAndIsNotLookedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	d.drawer.asked = 0
	for _, rubbish := range []secret.Text{"", "x", token + "x", token[1:], ashasKey, secret.Text(strings.Repeat("x", 1<<16))} {
		if d.lives(t, rubbish) || d.SignOut(t.Context(), rubbish) != nil {
			t.Errorf("%d bytes were taken", len(rubbish))
		}
	}
	if d.drawer.asked != 0 {
		t.Errorf("the database was asked %d times", d.drawer.asked)
	}
	if d.lives(t, secret.Text(strings.Repeat("x", len(token)))) {
		t.Error("a token that nobody was given was taken")
	}
}

func TestAnUnreachableDatabaseIsNoEndOfASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	d.drawer.setAway(true)
	if _, err := d.Find(t.Context(), token, true); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
	if err := d.SignOut(t.Context(), token); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
	d.drawer.setAway(false)
	if !d.lives(t, token) {
		t.Error("it ended")
	}
}

func TestNeitherKeyNorTokenIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, asha)
	token := d.signIn(t, ashasKey)
	for id, k := range d.drawer.kept {
		all := fmt.Sprintf("%s %s %s %+v", id, k.ID, k.KeyMark, d.drawer.records())
		for _, part := range []secret.Text{token, ashasKey[9:], asha.Hash} {
			if strings.Contains(all, part.Reveal()) {
				t.Errorf("it is kept: %s", all)
			}
		}
	}
}
