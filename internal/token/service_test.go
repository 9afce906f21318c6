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

// world is a Service with fakes around it and a clock that the test advances.
type world struct {
	service *token.Service
	minter  *fakeMinter
	access  *fakeAccess
	grants  *fakeGrants
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
	w := &world{minter: &fakeMinter{}, access: &fakeAccess{}, grants: &fakeGrants{}, cache: &fakeCache{tokens: map[token.CacheKey][]byte{}}}
	w.now.Store(time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC).Unix())
	w.service = &token.Service{
		Minter: w.minter, Grants: w.grants, Cache: w.cache, Access: w.access, Box: box,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: w.clock, MintTimeout: time.Minute,
	}
	return w
}

func (w *world) clock() time.Time     { return time.Unix(w.now.Load(), 0) }
func (w *world) pass(d time.Duration) { w.now.Add(int64(d / time.Second)) }

// cached returns the sealed token of who in the cache.
func (w *world) cached(who auth.Principal, ttl time.Duration) []byte {
	b, _ := w.cache.Token(context.Background(), token.CacheKeyFor(who.Subject, ttl))
	return b
}

func (w *world) ask(t *testing.T, who auth.Principal, ttl time.Duration) token.Issued {
	t.Helper()
	issued, err := w.service.Issue(t.Context(), who, token.Request{TTL: ttl}, w.cached(who, ttl))
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func TestTokenIsReusedUntilHalfOfItsLifetimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	w.pass(29 * time.Minute)
	second := w.ask(t, asha, time.Hour)
	if second.Value != first.Value || !second.Reused || second.GrantID != first.GrantID {
		t.Errorf("after 29 minutes: got %+v, want the same token", second)
	}
	w.pass(time.Minute)
	third := w.ask(t, asha, time.Hour)
	if third.Value == first.Value || third.Reused {
		t.Error("after 30 minutes: got the same token, want a new one")
	}
	if third.RefreshAfter != w.clock().Add(30*time.Minute) {
		t.Errorf("RefreshAfter: got %s, want 30 minutes from now", third.RefreshAfter)
	}
}

func TestReusedTokenHasMinRemainingLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.MinRemaining = 10 * time.Minute
	first := w.ask(t, asha, time.Hour)
	w.pass(49 * time.Minute)
	if w.ask(t, asha, time.Hour).Value != first.Value {
		t.Error("with 11 minutes left: got a new token, want the same one")
	}
	w.pass(time.Minute)
	if w.ask(t, asha, time.Hour).Value == first.Value {
		t.Error("with 10 minutes left: got the same token, want a new one")
	}
}

func TestUsersAndLifetimesDoNotShareTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[secret.Text]bool{}
	for _, issued := range []token.Issued{
		w.ask(t, asha, time.Hour), w.ask(t, rohan, time.Hour), w.ask(t, asha, 5*time.Minute),
	} {
		if seen[issued.Value] {
			t.Error("a token was handed out twice")
		}
		seen[issued.Value] = true
	}
}

func TestTokenSealedForOneUserIsNotReusedForAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stolen := w.ask(t, asha, time.Hour)
	issued, err := w.service.Issue(t.Context(), rohan, token.Request{TTL: time.Hour}, w.cached(asha, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if issued.Value == stolen.Value {
		t.Error("rohan got asha's token")
	}
}

func TestConcurrentRequestsShareOneMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.minter.gate = make(chan struct{})
	values := make(chan secret.Text, 200)
	var all sync.WaitGroup
	for range cap(values) {
		all.Go(func() {
			issued, err := w.service.Issue(context.Background(), asha, token.Request{TTL: time.Hour}, nil)
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
			t.Fatal("two different tokens were handed out")
		}
	}
	if n := w.minter.calls.Load(); n != 1 {
		t.Errorf("%d calls to the vendor, want 1", n)
	}
}

func TestCallerWhoDisconnectsDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.minter.gate, w.minter.entered = make(chan struct{}), make(chan struct{}, 1)
	leaving, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := w.service.Issue(leaving, asha, token.Request{TTL: time.Hour}, nil)
		gone <- err
	}()
	<-w.minter.entered
	stayed := make(chan error, 1)
	go func() {
		_, err := w.service.Issue(context.Background(), asha, token.Request{TTL: time.Hour}, nil)
		stayed <- err
	}()
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who left: got %v, want context.Canceled", err)
	}
	close(w.minter.gate)
	if err := <-stayed; err != nil {
		t.Errorf("the caller who stayed: %v", err)
	}
}

func TestPanicWhileMintingIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Minter = nil
	if _, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, nil); err == nil {
		t.Error("got no error")
	}
	w.service.Minter = w.minter
	w.ask(t, asha, time.Hour)
}

func TestTokenIsNotHandedOutWithoutARecordedGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants.err = errors.New("disk full")
	if _, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, nil); !errors.Is(err, w.grants.err) {
		t.Fatalf("got %v, want the store's error", err)
	}
	if w.cached(asha, time.Hour) != nil {
		t.Error("a token without a grant was cached")
	}
	w.grants.err = nil
	issued := w.ask(t, asha, time.Hour)
	if len(w.grants.grants) != 1 || w.grants.grants[0].ID != issued.GrantID || w.grants.records[0].Action != audit.TokenMint {
		t.Errorf("recorded %+v %+v, want the grant and its audit record", w.grants.grants, w.grants.records)
	}
}

func TestCachedTokenIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued := w.ask(t, asha, time.Hour)
	if sealed := string(w.cached(asha, time.Hour)); strings.Contains(sealed, issued.Value.Reveal()) {
		t.Error("the cache holds the token in clear")
	}
}

func TestFailingCacheCostsOnlyTheReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cache.err = errors.New("cache is down")
	w.ask(t, asha, time.Hour)
	for _, garbage := range [][]byte{{}, {2, 'k', '1', 0}, []byte("garbage"), w.service.Box.Seal("token/app:asha|60", []byte{1, 2})} {
		if _, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, garbage); err != nil {
			t.Errorf("%x: %v", garbage, err)
		}
	}
}

func TestRefusedCallerGetsNoTokenAndCausesNoMint(t *testing.T) {
	t.Parallel()
	for reason, outcome := range map[error]string{access.ErrBlocked: "refused", access.ErrStale: "failed"} {
		w := newWorld(t)
		var outcomes []string
		w.service.Observe = func(outcome string) { outcomes = append(outcomes, outcome) }
		w.ask(t, asha, time.Hour)
		w.access.err = reason
		if _, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, w.cached(asha, time.Hour)); !errors.Is(err, reason) {
			t.Errorf("got %v, want %v", err, reason)
		}
		if n := w.minter.calls.Load(); n != 1 || !slices.Equal(outcomes, []string{"minted", outcome}) {
			t.Errorf("got %d mints and outcomes %v, want 1 and [minted %s]", n, outcomes, outcome)
		}
	}
}

func TestTokenIsReusedOnlyWithAnAuditRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var outcomes, recorded []string
	var errRecord error
	w.service.Observe = func(outcome string) { outcomes = append(outcomes, outcome) }
	w.service.RecordReuse = func(_ context.Context, actor, subject, grantID string) error {
		recorded = append(recorded, actor+" "+subject+" "+grantID)
		return errRecord
	}
	first := w.ask(t, asha, time.Hour)
	if w.ask(t, asha, time.Hour); !slices.Equal(recorded, []string{"app:asha app:asha " + first.GrantID}) {
		t.Errorf("recorded %v, want the reuse alone", recorded)
	}
	errRecord = errors.New("disk full")
	issued, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, w.cached(asha, time.Hour))
	if !errors.Is(err, errRecord) || issued != (token.Issued{}) {
		t.Errorf("without a record: got %+v, %v, want no token and %v", issued, err, errRecord)
	}
	if want := []string{"minted", "reused", "failed"}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes: got %v, want %v", outcomes, want)
	}
}

func TestRevokedTokenIsReplacedByANewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	w.access.version, w.access.revoked = 7, 7
	second := w.ask(t, asha, time.Hour)
	if second.Value == first.Value || second.Reused || w.grants.grants[1].AccessVersion != 7 {
		t.Errorf("got %+v, want a new token with version 7", second)
	}
	if third := w.ask(t, asha, time.Hour); third.Value != second.Value {
		t.Error("the new token was not reused")
	}
}

func TestTokenThatTheSharedCacheLacksIsReusedOnlyWithTheLatestRevocations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	lacking := func() token.Issued { // the replica has the token, the shared cache had none
		t.Helper()
		issued, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	if again := lacking(); again.GrantID != first.GrantID || !again.Reused {
		t.Errorf("got %+v, want the same token", again)
	}
	w.access.behind = true
	if again := lacking(); again.GrantID != first.GrantID {
		t.Errorf("got %+v, want the same token while the database is down", again)
	}
	w.access.behind, w.access.unknown = false, w.access.version+1 // the user was erased on another replica
	if next := lacking(); next.GrantID == first.GrantID || next.Reused {
		t.Errorf("got %+v, want another token than that of the erased grant", next)
	}
}

func TestTokenOfAClockThatIsAheadHasNoMoreLeftThanTheVendorGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.ask(t, asha, time.Hour)
	w.pass(-2 * time.Minute) // the clock of another replica
	again := w.ask(t, asha, time.Hour)
	if left := again.ExpiresAt.Sub(w.clock()); again.Value != first.Value || left != time.Hour {
		t.Errorf("got %v left of the same token: %v, want 1h", left, again.Value == first.Value)
	}
	if until := again.RefreshAfter.Sub(w.clock()); until != 30*time.Minute {
		t.Errorf("got RefreshAfter in %v, want 30m", until)
	}
}

func TestNothingIsMintedWhileGrantsCannotBeRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := errors.New("the database is down")
	w.service.Ready = func(context.Context) error { return down }
	for range 20 {
		if _, err := w.service.Issue(t.Context(), asha, token.Request{TTL: time.Hour}, nil); !errors.Is(err, down) {
			t.Fatalf("got %v, want %v", err, down)
		}
	}
	if n := w.minter.calls.Load(); n != 0 {
		t.Errorf("got %d calls of the vendor, want none", n)
	}
}

// fakeMinter mints at once, or when gate is closed.
type fakeMinter struct {
	calls   atomic.Int64
	gate    chan struct{} // may be nil
	entered chan struct{} // receives when a mint begins; may be nil
}

func (m *fakeMinter) Mint(_ context.Context, ttl time.Duration) (token.Minted, error) {
	n := m.calls.Add(1)
	if m.entered != nil {
		m.entered <- struct{}{}
	}
	if m.gate != nil {
		<-m.gate
	}
	value := secret.Text("at_token" + strings.Repeat("x", int(n)))
	return token.Minted{Value: value, ExpiresIn: ttl, RequestID: "req_vendor"}, nil
}

// fakeAccess admits every user unless it has an err; versions below revoked are not valid.
type fakeAccess struct {
	mu      sync.Mutex
	err     error
	version int64
	revoked int64
	unknown int64 // value of revoked that CatchUp learns of; 0 for none
	behind  bool  // CatchUp fails
}

func (a *fakeAccess) Admit(string) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.version, a.err
}

func (a *fakeAccess) Valid(_, _ string, version int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return version >= a.revoked
}

func (a *fakeAccess) CatchUp(_ context.Context, version int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.behind {
		return errors.New("the database is down")
	}
	a.version, a.revoked = max(a.version, version), max(a.revoked, a.unknown)
	return nil
}

type fakeGrants struct {
	mu      sync.Mutex
	err     error
	grants  []token.Grant
	records []audit.Record
}

func (f *fakeGrants) RecordGrant(_ context.Context, g token.Grant, r audit.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.grants, f.records = append(f.grants, g), append(f.records, r)
	return nil
}

type fakeCache struct {
	mu     sync.Mutex
	err    error
	tokens map[token.CacheKey][]byte
}

func (c *fakeCache) Token(_ context.Context, key token.CacheKey) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[key], c.err
}

func (c *fakeCache) KeepToken(_ context.Context, key token.CacheKey, sealed []byte, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.tokens[key] = sealed
	}
	return c.err
}

func TestGatewayTokenIsReusedWithoutTheVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(features token.Features) token.Issued {
		t.Helper()
		key := token.CacheKeyFor(asha.Subject, time.Hour)
		key.Gateway = true
		cached, _ := w.cache.Token(t.Context(), key)
		req := token.Request{TTL: time.Hour, Mode: token.ModeGateway, Features: features}
		issued, err := w.service.Issue(t.Context(), asha, req, cached)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	first := ask(token.FeatureParse)
	g, err := token.OpenGatewayToken(w.service.Box, first.Value.Reveal())
	if err != nil || g.Subject != asha.Subject || g.GrantID != first.GrantID || g.Features != token.FeatureParse || !g.ExpiresAt.Equal(w.clock().Add(time.Hour)) {
		t.Errorf("got %+v, %v", g, err)
	}
	w.pass(29 * time.Minute)
	if again := ask(token.FeatureParse); again.Value != first.Value || !again.Reused || again.Mode != token.ModeGateway {
		t.Errorf("after 29 minutes: got %+v, want the same token", again)
	}
	wide := ask(token.FeatureParse | token.FeatureContractNote)
	if wide.Value == first.Value || wide.Reused {
		t.Error("a request for more features got the token with fewer")
	}
	if narrow := ask(token.FeatureParse); narrow.Value == wide.Value {
		t.Error("a request for fewer features got the token with more")
	}
	if n := w.minter.calls.Load(); n != 0 {
		t.Errorf("got %d mints at the vendor, want none", n)
	}
	if direct := w.ask(t, asha, time.Hour); direct.Mode != token.ModeDirect || direct.Value == first.Value {
		t.Errorf("got %+v, want a direct token", direct)
	}
}
