package access_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/auth"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

var operator = auth.Principal{Subject: "admin:meera", Roles: auth.RoleAdmin}

const asha, rohan = "app:asha", "app:rohan"

// begin is the initial time of every test clock.
var begin = time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC)

// clock is a clock that the test advances; all replicas read it.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return begin.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// replica is the access service and view of one broker process.
type replica struct {
	*access.Service
	view *access.Watcher
	db   *flaky
}

// flaky is a database that the test can disconnect from one replica.
type flaky struct {
	access.Store
	down atomic.Bool
}

var errDown = errors.New("the database is down")

func (f *flaky) AccessVersion(ctx context.Context) (int64, error) {
	if f.down.Load() {
		return 0, errDown
	}
	return f.Store.AccessVersion(ctx)
}

// noMessages is a PubSub that loses every message.
type noMessages struct{}

func (noMessages) Publish(context.Context, string, string) error { return nil }

func (noMessages) Subscribe(ctx context.Context, _ string, _ func(string)) { <-ctx.Done() }

// localPubSub is a PubSub for replicas in one process.
type localPubSub struct {
	mu        sync.Mutex
	receivers map[int]func(string)
}

func (p *localPubSub) Publish(_ context.Context, _, message string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, receive := range p.receivers {
		receive(message)
	}
	return nil
}

func (p *localPubSub) Subscribe(ctx context.Context, _ string, receive func(string)) {
	p.mu.Lock()
	p.receivers[len(p.receivers)] = receive
	p.mu.Unlock()
	receive("")
	<-ctx.Done()
}

func newReplica(db access.Store, c *clock, messages access.PubSub, poll time.Duration) *replica {
	f := &flaky{Store: db}
	w := access.NewWatcher(access.WatchOptions{
		Store: f, PubSub: messages, Log: slog.New(slog.DiscardHandler), Now: c.now, Poll: poll, MaxAge: time.Minute,
		Hash: strings.ToUpper,
	})
	return &replica{&access.Service{Store: db, Watcher: w, Now: c.now}, w, f}
}

// loaded returns a replica that was refreshed once and receives no messages.
func loaded(t *testing.T, db access.Store, c *clock) *replica {
	t.Helper()
	r := newReplica(db, c, noMessages{}, time.Hour)
	r.refresh(t)
	return r
}

func (r *replica) refresh(t *testing.T) {
	t.Helper()
	if err := r.view.Refresh(t.Context(), access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
}

// version returns the version that a token minted now for subject would carry.
func (r *replica) version(t *testing.T, subject string) int64 {
	t.Helper()
	version, err := r.view.Admit(subject)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestBlockLastsUntilItIsLiftedOrEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		r := loaded(t, db, c)
		old := r.version(t, asha)
		for name, end := range map[string]func(){
			"lifted": func() {
				if _, err := r.Unblock(t.Context(), operator, asha); err != nil {
					t.Fatal(err)
				}
			},
			"over": func() { c.advance(10 * time.Minute); r.refresh(t) },
		} {
			if _, err := r.Block(t.Context(), operator, asha, "stolen phone", c.now().Add(10*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
				t.Fatalf("%s: Admit of a blocked user: got %v, want ErrBlocked", name, err)
			}
			r.version(t, rohan)
			end()
			if r.version(t, asha); r.view.Valid(asha, "gr_1", old) {
				t.Errorf("%s: a token from before the block is valid again", name)
			}
			old = r.version(t, asha)
			if !r.view.Valid(asha, "gr_1", old) {
				t.Errorf("%s: a token from after the block is not valid", name)
			}
		}
	})
}

func TestRevocationAffectsOnlyTheTokensConcerned(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		old := r.version(t, asha)
		if _, err := r.RevokeUser(t.Context(), operator, asha); err != nil {
			t.Fatal(err)
		}
		if r.view.Valid(asha, "gr_1", old) || !r.view.Valid(rohan, "gr_2", old) {
			t.Error("asha's token is valid, or rohan's is not")
		}
		between := r.version(t, asha)
		if !r.view.Valid(asha, "gr_3", between) {
			t.Error("a token from after the revocation is not valid")
		}
		if _, err := r.RevokeAll(t.Context(), operator); err != nil {
			t.Fatal(err)
		}
		if r.view.Valid(asha, "gr_3", between) || r.view.Valid(rohan, "gr_2", old) || !r.view.Valid(asha, "gr_4", r.version(t, asha)) {
			t.Error("RevokeAll left an older token valid, or revoked a newer one")
		}
	})
}

func TestRepeatedChangeIsReportedAsAlreadyDone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		ctx := t.Context()
		for _, step := range []struct {
			name    string
			do      func() (access.Result, error)
			already bool
		}{
			{"unblock a user who is not blocked", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, true},
			{"block", func() (access.Result, error) { return r.Block(ctx, operator, asha, "stolen", time.Time{}) }, false},
			{"repeat the block", func() (access.Result, error) { return r.Block(ctx, operator, asha, "stolen", time.Time{}) }, true},
			{"block for another reason", func() (access.Result, error) { return r.Block(ctx, operator, asha, "asked for it", time.Time{}) }, false},
			{"block with an end", func() (access.Result, error) {
				return r.Block(ctx, operator, asha, "asked for it", begin.Add(time.Hour))
			}, false},
			{"unblock", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, false},
			{"unblock again", func() (access.Result, error) { return r.Unblock(ctx, operator, asha) }, true},
			{"revoke a user without tokens", func() (access.Result, error) { return r.RevokeUser(ctx, operator, rohan) }, true},
			{"revoke all without tokens", func() (access.Result, error) { return r.RevokeAll(ctx, operator) }, true},
		} {
			got, err := step.do()
			if err != nil || got.Already != step.already {
				t.Errorf("%s: got %+v, %v, want Already %v", step.name, got, err, step.already)
			}
		}
	})
}

func TestInvalidChangesAreRefused(t *testing.T) {
	t.Parallel()
	r := loaded(t, storetest.New(t), &clock{})
	ctx := t.Context()
	block := func(subject, reason string, until time.Time) error {
		_, err := r.Block(ctx, operator, subject, reason, until)
		return err
	}
	grant := func(grantID string) error { _, err := r.RevokeGrant(ctx, operator, grantID); return err }
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"no subject":               {block("", "", time.Time{}), "invalid_subject"},
		"zero byte in the subject": {block("app:a\x00b", "", time.Time{}), "invalid_subject"},
		"subject not UTF-8":        {block("app:\xff", "", time.Time{}), "invalid_subject"},
		"long subject":             {block(strings.Repeat("a", access.MaxSubject+1), "", time.Time{}), "invalid_subject"},
		"long reason":              {block(asha, strings.Repeat("a", 501), time.Time{}), "invalid_reason"},
		"until in the past":        {block(asha, "", begin.Add(-time.Second)), "invalid_until"},
		"until now":                {block(asha, "", begin), "invalid_until"},
		"unknown grant":            {grant("gr_nothing"), "grant_not_found"},
		"no grant":                 {grant(""), "grant_not_found"},
		"zero byte in the grant":   {grant("gr_\x00"), "grant_not_found"},
		"grant not UTF-8":          {grant("gr_\xff"), "grant_not_found"},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), c.code) {
			t.Errorf("%s: got %v, want %s", name, c.err, c.code)
		}
	}
}

func TestSubjectsMayContainAnyVisibleCharacter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r := loaded(t, db, &clock{})
		for _, subject := range []string{
			"app:a/b", "app:a b", "app:😀" + strings.Repeat("é", 124), "app:%2f'\"\\;--", "app:" + strings.Repeat("x", 252),
		} {
			if _, err := r.Block(t.Context(), operator, subject, "why/not 😀", time.Time{}); err != nil {
				t.Errorf("%q: %v", subject, err)
			}
			if _, err := r.view.Admit(subject); !errors.Is(err, access.ErrBlocked) {
				t.Errorf("Admit(%q): got %v, want ErrBlocked", subject, err)
			}
			if b, err := r.ActiveBlock(t.Context(), subject); err != nil || b == nil || b.Subject != subject || b.Actor != operator.Subject {
				t.Errorf("ActiveBlock(%q): got %+v, %v", subject, b, err)
			}
		}
		if b, err := r.ActiveBlock(t.Context(), asha); b != nil || err != nil {
			t.Errorf("a user who is not blocked: got %+v, %v, want nil", b, err)
		}
	})
}
