package access_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
)

var operator = auth.Principal{Subject: "admin:meera", Roles: auth.RoleAdmin}

const asha, rohan = "app:asha", "app:rohan"

// begin is when the clock of every test starts.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// clock is set by the test and read by all replicas.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return begin.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// replica is one broker's part in access.
type replica struct {
	*access.Service
	view *access.Watcher
	db   *flaky
}

// flaky is a database that the test can cut off from one replica.
type flaky struct {
	access.Keeper
	away atomic.Bool
}

var errAway = errors.New("the database is away")

func (f *flaky) AccessVersion(ctx context.Context) (int64, error) {
	if f.away.Load() {
		return 0, errAway
	}
	return f.Keeper.AccessVersion(ctx)
}

// silent is a Wire that loses everything.
type silent struct{}

func (silent) Tell(context.Context, string, string) error { return nil }

func (silent) Listen(ctx context.Context, _ string, _ func(string)) { <-ctx.Done() }

// hall is a Wire on which all who listen hear all that is told.
type hall struct {
	mu    sync.Mutex
	hears map[int]func(string)
}

func (h *hall) Tell(_ context.Context, _, message string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hear := range h.hears {
		hear(message)
	}
	return nil
}

func (h *hall) Listen(ctx context.Context, _ string, hear func(string)) {
	h.mu.Lock()
	seat := len(h.hears)
	h.hears[seat] = hear
	h.mu.Unlock()
	hear("")
	<-ctx.Done()
}

func newReplica(db access.Keeper, c *clock, wire access.Wire, poll time.Duration) *replica {
	f := &flaky{Keeper: db}
	w := access.NewWatcher(access.WatchOptions{
		Keeper: f, Wire: wire, Log: slog.New(slog.DiscardHandler), Now: c.now, Poll: poll, MaxAge: time.Minute,
	})
	return &replica{&access.Service{Keeper: db, Watcher: w, Now: c.now}, w, f}
}

// loaded returns a replica that has looked once.
func loaded(t *testing.T, db access.Keeper, c *clock) *replica {
	t.Helper()
	r := newReplica(db, c, silent{}, time.Hour)
	r.look(t)
	return r
}

func (r *replica) look(t *testing.T) {
	t.Helper()
	if err := r.view.Look(t.Context(), access.LearnedPolled); err != nil {
		t.Fatal(err)
	}
}

// version is what a token minted now for subject would carry.
func (r *replica) version(t *testing.T, subject string) int64 {
	t.Helper()
	version, err := r.view.Admit(subject)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// eachStore runs test with every kind of database.
func eachStore(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "broker.db") },
		"postgres": func(t *testing.T) string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openStore(t, url(t)))
		})
	}
}

func openStore(t testing.TB, url string) *store.DB {
	t.Helper()
	key := func() secret.Text {
		b := make([]byte, secret.KeySize)
		_, _ = rand.Read(b)
		return secret.Text(b)
	}
	box, err := secret.NewBox(key(), secret.Key{ID: "k1", Secret: key()})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(store.Options{URL: secret.URL(url), Box: box})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestABlockHoldsUntilItIsLiftedOrItsTimeIsOver(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		r := loaded(t, db, c)
		old := r.version(t, asha)
		for name, end := range map[string]func(){
			"lifted": func() {
				if _, err := r.Unblock(t.Context(), operator, asha); err != nil {
					t.Fatal(err)
				}
			},
			"over": func() { c.advance(10 * time.Minute); r.look(t) },
		} {
			if _, err := r.Block(t.Context(), operator, asha, "stolen phone", c.now().Add(10*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
				t.Fatalf("%s: a blocked user is let in: %v", name, err)
			}
			r.version(t, rohan)
			end()
			if r.version(t, asha); r.view.Counts(asha, "gr_1", old) {
				t.Errorf("%s: a token from before the block counts again", name)
			}
			old = r.version(t, asha)
			if !r.view.Counts(asha, "gr_1", old) {
				t.Errorf("%s: a token from after the block does not count", name)
			}
		}
	})
}

func TestARevocationEndsWhatItIsAboutAndNothingElse(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		old := r.version(t, asha)
		if _, err := r.RevokeUser(t.Context(), operator, asha); err != nil {
			t.Fatal(err)
		}
		if r.view.Counts(asha, "gr_1", old) || !r.view.Counts(rohan, "gr_2", old) {
			t.Error("asha's token counts, or rohan's does not")
		}
		between := r.version(t, asha)
		if !r.view.Counts(asha, "gr_3", between) {
			t.Error("a token from after the revocation does not count")
		}
		if _, err := r.RevokeAll(t.Context(), operator); err != nil {
			t.Fatal(err)
		}
		if r.view.Counts(asha, "gr_3", between) || r.view.Counts(rohan, "gr_2", old) || !r.view.Counts(asha, "gr_4", r.version(t, asha)) {
			t.Error("not all tokens, or newer ones too, were revoked")
		}
	})
}

func TestDoingAgainWhatWasDoneSaysSo(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		ctx := t.Context()
		for _, step := range []struct {
			what    string
			do      func() (access.Result, error)
			already bool
		}{
			{"lift no block", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, true},
			{"block", func() (access.Result, error) { return r.Block(ctx, operator, asha, "stolen", time.Time{}) }, false},
			{"block as before", func() (access.Result, error) { return r.Block(ctx, operator, asha, "stolen", time.Time{}) }, true},
			{"block for another reason", func() (access.Result, error) { return r.Block(ctx, operator, asha, "asked for it", time.Time{}) }, false},
			{"block for a time", func() (access.Result, error) {
				return r.Block(ctx, operator, asha, "asked for it", begin.Add(time.Hour))
			}, false},
			{"lift", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, false},
			{"lift again", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, true},
			{"revoke where there is nothing", func() (access.Result, error) { return r.RevokeUser(ctx, operator, rohan) }, true},
			{"revoke all where there is nothing", func() (access.Result, error) { return r.RevokeAll(ctx, operator) }, true},
		} {
			got, err := step.do()
			if err != nil || got.Already != step.already {
				t.Errorf("%s: %+v, %v", step.what, got, err)
			}
		}
	})
}

func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	t.Parallel()
	r := loaded(t, openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db")), &clock{})
	ctx := t.Context()
	block := func(subject, reason string, until time.Time) error {
		_, err := r.Block(ctx, operator, subject, reason, until)
		return err
	}
	grant := func(grantID string) error { _, err := r.RevokeGrant(ctx, operator, grantID); return err }
	for what, c := range map[string]struct {
		err  error
		code string
	}{
		"nobody":                    {block("", "", time.Time{}), "invalid_subject"},
		"a zero byte":               {block("app:a\x00b", "", time.Time{}), "invalid_subject"},
		"no UTF-8":                  {block("app:\xff", "", time.Time{}), "invalid_subject"},
		"too long":                  {block(strings.Repeat("a", access.MaxSubject+1), "", time.Time{}), "invalid_subject"},
		"a long reason":             {block(asha, strings.Repeat("a", 501), time.Time{}), "invalid_reason"},
		"an until that is past":     {block(asha, "", begin.Add(-time.Second)), "invalid_until"},
		"an until that is now":      {block(asha, "", begin), "invalid_until"},
		"an unknown grant":          {grant("gr_nothing"), "grant_not_found"},
		"no grant":                  {grant(""), "grant_not_found"},
		"a grant with a zero byte":  {grant("gr_\x00"), "grant_not_found"},
		"a grant that is not UTF-8": {grant("gr_\xff"), "grant_not_found"},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), c.code) {
			t.Errorf("%s: got %v, want %s", what, c.err, c.code)
		}
	}
}

func TestSubjectsMayHoldAnythingThatCanBeSeen(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		for _, subject := range []string{
			"app:a/b", "app:a b", "app:😀" + strings.Repeat("é", 124), "app:%2f'\"\\;--", "app:" + strings.Repeat("x", 252),
		} {
			if _, err := r.Block(t.Context(), operator, subject, "why/not 😀", time.Time{}); err != nil {
				t.Errorf("%q: %v", subject, err)
			}
			if _, err := r.view.Admit(subject); !errors.Is(err, access.ErrBlocked) {
				t.Errorf("%q is let in: %v", subject, err)
			}
			if b, err := r.State(t.Context(), subject); err != nil || b == nil || b.Subject != subject || b.Actor != operator.Subject {
				t.Errorf("%q: read back %+v, %v", subject, b, err)
			}
		}
		if b, err := r.State(t.Context(), asha); b != nil || err != nil {
			t.Errorf("a user who is not blocked: %+v, %v", b, err)
		}
	})
}
