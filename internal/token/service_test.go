package token_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

var (
	asha  = auth.Principal{Subject: "app:asha", Roles: auth.RoleUser}
	rohan = auth.Principal{Subject: "app:rohan", Roles: auth.RoleUser}
)

// world is everything around a Service, with a clock that the test sets.
type world struct {
	service *token.Service
	minter  *fakeMinter
	gate    *fakeGate
	ledger  *fakeLedger
	cache   *fakeCache
	now     atomic.Int64 // unix seconds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key := func(c string) secret.Text { return secret.Text(strings.Repeat(c, secret.KeySize)) }
	box, err := secret.NewBox(key("h"), secret.Key{ID: "k1", Secret: key("s")})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{minter: &fakeMinter{}, gate: &fakeGate{}, ledger: &fakeLedger{}, cache: &fakeCache{kept: map[string][]byte{}}}
	w.now.Store(time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC).Unix())
	w.service = &token.Service{
		Minter: w.minter, Ledger: w.ledger, Cache: w.cache, Gate: w.gate, Box: box,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: w.clock, MintTimeout: time.Minute,
	}
	return w
}

func (w *world) clock() time.Time         { return time.Unix(w.now.Load(), 0) }
func (w *world) pass(d time.Duration)     { w.now.Add(int64(d / time.Second)) }
func (w *world) cached(key string) []byte { b, _ := w.cache.Token(context.Background(), key); return b }
func (w *world) ask(t *testing.T, who auth.Principal, life time.Duration) token.Issued {
	t.Helper()
	issued, err := w.service.Issue(t.Context(), who, life, w.cached(token.Key(who.Subject, life)))
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func TestAUserGetsTheSameTokenUntilHalfOfItsLifeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	w.pass(29 * time.Minute)
	second := w.ask(t, asha, time.Hour)
	if second.Value != first.Value || !second.Reused || second.GrantID != first.GrantID {
		t.Errorf("after 29 minutes: want the same token, got %+v", second)
	}
	w.pass(time.Minute)
	third := w.ask(t, asha, time.Hour)
	if third.Value == first.Value || third.Reused {
		t.Error("after 30 minutes: want a new token")
	}
	if third.RefreshAfter != w.clock().Add(30*time.Minute) {
		t.Errorf("refresh after %s", third.RefreshAfter)
	}
}

func TestMinRemainingSaysHowMuchLifeAReusedTokenHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.MinRemaining = 10 * time.Minute
	first := w.ask(t, asha, time.Hour)
	w.pass(49 * time.Minute)
	if w.ask(t, asha, time.Hour).Value != first.Value {
		t.Error("with 11 minutes left: want the same token")
	}
	w.pass(time.Minute)
	if w.ask(t, asha, time.Hour).Value == first.Value {
		t.Error("with 10 minutes left: want a new token")
	}
}

func TestUsersAndLivesDoNotShareTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[secret.Text]bool{}
	for _, issued := range []token.Issued{
		w.ask(t, asha, time.Hour), w.ask(t, rohan, time.Hour), w.ask(t, asha, 5*time.Minute),
	} {
		if seen[issued.Value] {
			t.Error("a token was given twice")
		}
		seen[issued.Value] = true
	}
}

func TestATokenSealedForOneUserIsOfNoUseToAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stolen := w.ask(t, asha, time.Hour)
	issued, err := w.service.Issue(t.Context(), rohan, time.Hour, w.cached(token.Key(asha.Subject, time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if issued.Value == stolen.Value {
		t.Error("rohan got asha's token")
	}
}

func TestTwoHundredAtOnceCostOneCallToTheVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.minter.gate = make(chan struct{})
	values := make(chan secret.Text, 200)
	var all sync.WaitGroup
	for range cap(values) {
		all.Go(func() {
			issued, err := w.service.Issue(context.Background(), asha, time.Hour, nil)
			if err != nil {
				t.Error(err)
			}
			values <- issued.Value
		})
	}
	close(w.minter.gate)
	all.Wait()
	close(values)
	first := <-values
	for v := range values {
		if v != first {
			t.Fatal("two different tokens were given")
		}
	}
	if n := w.minter.calls.Load(); n != 1 {
		t.Errorf("%d calls to the vendor, want 1", n)
	}
}

func TestACallerWhoGoesAwayDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.minter.gate, w.minter.entered = make(chan struct{}), make(chan struct{}, 1)
	leaving, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := w.service.Issue(leaving, asha, time.Hour, nil)
		gone <- err
	}()
	<-w.minter.entered
	stayed := make(chan error, 1)
	go func() {
		_, err := w.service.Issue(context.Background(), asha, time.Hour, nil)
		stayed <- err
	}()
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(w.minter.gate)
	if err := <-stayed; err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

func TestAPanicWhileMintingIsAnErrorAndNotTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Minter = nil
	if _, err := w.service.Issue(t.Context(), asha, time.Hour, nil); err == nil {
		t.Error("there was no error")
	}
	w.service.Minter = w.minter
	w.ask(t, asha, time.Hour)
}

func TestNoTokenLeavesBeforeItsGrantIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.err = errors.New("disk full")
	if _, err := w.service.Issue(t.Context(), asha, time.Hour, nil); !errors.Is(err, w.ledger.err) {
		t.Fatalf("want the ledger's error, got %v", err)
	}
	if w.cached(token.Key(asha.Subject, time.Hour)) != nil {
		t.Error("a token that was not recorded is in the cache")
	}
	w.ledger.err = nil
	issued := w.ask(t, asha, time.Hour)
	if len(w.ledger.grants) != 1 || w.ledger.grants[0].ID != issued.GrantID || w.ledger.records[0].Action != audit.TokenMint {
		t.Errorf("recorded: %+v %+v", w.ledger.grants, w.ledger.records)
	}
}

func TestTheCacheHoldsNoTokenInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued := w.ask(t, asha, time.Hour)
	if sealed := string(w.cached(token.Key(asha.Subject, time.Hour))); strings.Contains(sealed, issued.Value.Reveal()) {
		t.Error("the token can be read in the cache")
	}
}

func TestACacheThatFailsOrHoldsRubbishCostsOnlyTheReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cache.err = errors.New("cache is away")
	w.ask(t, asha, time.Hour)
	for _, rubbish := range [][]byte{{}, {2, 'k', '1', 0}, []byte("rubbish"), w.service.Box.Seal("token/app:asha|60", []byte{1, 2})} {
		if _, err := w.service.Issue(t.Context(), asha, time.Hour, rubbish); err != nil {
			t.Errorf("%x: %v", rubbish, err)
		}
	}
}

func TestWhoIsNotLetInGetsNoTokenAndCostsNoCallToTheVendor(t *testing.T) {
	t.Parallel()
	for reason, outcome := range map[error]string{access.ErrBlocked: "refused", access.ErrStale: "failed"} {
		w := newWorld(t)
		var outcomes []string
		w.service.Observe = func(outcome string) { outcomes = append(outcomes, outcome) }
		w.ask(t, asha, time.Hour)
		w.gate.err = reason
		if _, err := w.service.Issue(t.Context(), asha, time.Hour, w.cached(token.Key(asha.Subject, time.Hour))); !errors.Is(err, reason) {
			t.Errorf("got %v, want %v", err, reason)
		}
		if n := w.minter.calls.Load(); n != 1 || !slices.Equal(outcomes, []string{"minted", outcome}) {
			t.Errorf("%d calls, %v", n, outcomes)
		}
	}
}

func TestARevokedTokenIsMintedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	w.gate.version, w.gate.revoked = 7, 7
	second := w.ask(t, asha, time.Hour)
	if second.Value == first.Value || second.Reused || w.ledger.grants[1].AccessVersion != 7 {
		t.Errorf("got %+v", second)
	}
	if third := w.ask(t, asha, time.Hour); third.Value != second.Value {
		t.Error("the new token was not given again")
	}
}

// fakeMinter mints at once, or when its gate opens.
type fakeMinter struct {
	calls   atomic.Int64
	gate    chan struct{} // nil is open
	entered chan struct{} // nil tells nobody
}

func (m *fakeMinter) Mint(_ context.Context, life time.Duration) (token.Minted, error) {
	n := m.calls.Add(1)
	if m.entered != nil {
		m.entered <- struct{}{}
	}
	if m.gate != nil {
		<-m.gate
	}
	value := secret.Text("at_token" + strings.Repeat("x", int(n)))
	return token.Minted{Value: value, ExpiresIn: life, RequestID: "req_vendor"}, nil
}

// fakeGate lets in whom it has no error for; what is older than revoked does not count.
type fakeGate struct {
	err     error
	version int64
	revoked int64
}

func (g *fakeGate) Admit(string) (int64, error) { return g.version, g.err }

func (g *fakeGate) Valid(_, _ string, version int64) bool { return version >= g.revoked }

func (g *fakeGate) CatchUp(_ context.Context, version int64) error {
	g.version = max(g.version, version)
	return nil
}

type fakeLedger struct {
	err     error
	grants  []token.Grant
	records []audit.Record
}

func (l *fakeLedger) RecordGrant(_ context.Context, g token.Grant, r audit.Record) error {
	if l.err != nil {
		return l.err
	}
	l.grants, l.records = append(l.grants, g), append(l.records, r)
	return nil
}

type fakeCache struct {
	mu   sync.Mutex
	err  error
	kept map[string][]byte
}

func (c *fakeCache) Token(_ context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept[key], c.err
}

func (c *fakeCache) KeepToken(_ context.Context, key string, sealed []byte, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.kept[key] = sealed
	}
	return c.err
}
