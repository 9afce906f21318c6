package token_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/cache"
	"casbroker/internal/id"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// The steps of a mint at which a test can run something else.
const (
	duringMint   = "while the vendor mints"
	beforeRecord = "before the grant is recorded"
	afterRecord  = "after the grant was recorded"
	beforeCache  = "before the token is cached"
	afterCache   = "after the token was cached"
)

var steps = []string{duringMint, beforeRecord, afterRecord, beforeCache, afterCache}

// mintRace is a Service on a real database and cache, with an access service at the same
// replica and one at another.
type mintRace struct {
	service *token.Service
	db      *store.DB
	cache   cache.Cache
	here    *access.Service // its view is the AccessPolicy of service
	there   *access.Service // has its own view, and its messages are lost
	minter  *fakeMinter

	at    string // the step at which do is called, once
	do    func()
	steps []string // the steps so far
}

func (s *mintRace) reach(step string) {
	s.steps = append(s.steps, step)
	if do := s.do; do != nil && step == s.at {
		s.do = nil
		do()
	}
}

// Mint implements token.Minter.
func (s *mintRace) Mint(ctx context.Context, ttl time.Duration) (token.Minted, error) {
	s.reach(duringMint)
	return s.minter.Mint(ctx, ttl)
}

// RecordGrant implements token.GrantStore.
func (s *mintRace) RecordGrant(ctx context.Context, g token.Grant, r audit.Record) error {
	s.reach(beforeRecord)
	err := s.db.RecordGrant(ctx, g, r)
	s.reach(afterRecord)
	return err
}

// Token implements token.Cache.
func (s *mintRace) Token(ctx context.Context, key token.CacheKey) ([]byte, error) {
	return s.cache.Token(ctx, key)
}

// KeepToken implements token.Cache.
func (s *mintRace) KeepToken(ctx context.Context, key token.CacheKey, sealed []byte, ttl time.Duration) error {
	s.reach(beforeCache)
	err := s.cache.KeepToken(ctx, key, sealed, ttl)
	s.reach(afterCache)
	return err
}

// eachBackend runs test with every pair of a database and a cache.
func eachBackend(t *testing.T, test func(t *testing.T, s *mintRace)) {
	t.Helper()
	for database, url := range map[string]func(t testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": services.Postgres} {
		for name, open := range map[string]func(t *testing.T) cache.Cache{"memory": openMemory, "Redis": openRedis} {
			t.Run(database+" and "+name, func(t *testing.T) {
				t.Parallel()
				test(t, newMintRace(t, url(t), open(t)))
			})
		}
	}
}

func openMemory(t *testing.T) cache.Cache {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openRedis(t *testing.T) cache.Cache {
	t.Helper()
	r, err := cache.NewRedis(cache.RedisOptions{URL: secret.URL(services.Redis(t)), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func newMintRace(t *testing.T, url string, tokens cache.Cache) *mintRace {
	t.Helper()
	w := newWorld(t)
	db := storetest.Open(t, url, w.service.Box)
	s := &mintRace{service: w.service, db: db, cache: tokens, minter: w.minter}
	newAccess := func() *access.Service {
		watcher := access.NewWatcher(access.WatchOptions{
			Store: db, PubSub: &cache.Memory{}, Log: slog.New(slog.DiscardHandler), Now: w.clock, Poll: time.Hour, MaxAge: time.Minute,
			Hash: strings.ToUpper,
		})
		if err := watcher.Refresh(t.Context(), access.TriggerPoll); err != nil {
			t.Fatal(err)
		}
		return &access.Service{Store: db, Watcher: watcher, Now: w.clock}
	}
	s.here, s.there = newAccess(), newAccess()
	s.service.Minter, s.service.Grants, s.service.Cache, s.service.Access = s, s, s, s.here.Watcher
	return s
}

func (s *mintRace) ask(ctx context.Context, who auth.Principal) (token.Issued, error) {
	sealed, err := s.cache.Token(ctx, token.CacheKeyFor(who.Subject, time.Hour))
	if err != nil {
		return token.Issued{}, err
	}
	return s.service.Issue(ctx, who, token.Request{TTL: time.Hour}, sealed)
}

// minted returns the number of mints since its last call.
func (s *mintRace) minted() int {
	n := 0
	for _, step := range s.steps {
		if step == duringMint {
			n++
		}
	}
	s.steps = nil
	return n
}

// change is what an operator does while a token is minted.
type change struct {
	name  string
	block bool
	make  func(ctx context.Context, by *access.Service, subject string) error
}

var meera = auth.Principal{Subject: "admin:meera", Roles: auth.RoleAdmin}

var changes = []change{
	{"revoke the user", false, func(ctx context.Context, by *access.Service, subject string) error {
		_, err := by.RevokeUser(ctx, meera, subject)
		return err
	}},
	{"revoke all", false, func(ctx context.Context, by *access.Service, _ string) error {
		_, err := by.RevokeAll(ctx, meera)
		return err
	}},
	{"block", true, func(ctx context.Context, by *access.Service, subject string) error {
		_, err := by.Block(ctx, meera, subject, "", time.Time{})
		return err
	}},
	{"block and lift", false, func(ctx context.Context, by *access.Service, subject string) error {
		if _, err := by.Block(ctx, meera, subject, "", time.Time{}); err != nil {
			return err
		}
		_, err := by.Unblock(ctx, meera, subject)
		return err
	}},
}

// TestMintNeverOutlivesAConcurrentRevocation makes the revocation at every step of the mint,
// at this replica and at one that cannot announce it.
func TestMintNeverOutlivesAConcurrentRevocation(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, s *mintRace) {
		for _, c := range changes {
			for _, step := range steps {
				for replica, by := range map[string]*access.Service{"here": s.here, "there": s.there} {
					t.Run(fmt.Sprintf("%s %s, %s", c.name, replica, step), func(t *testing.T) {
						interleave(t, s, c, step, by)
					})
				}
			}
		}
	})
}

func interleave(t *testing.T, s *mintRace, c change, step string, by *access.Service) {
	ctx := t.Context()
	who := auth.Principal{Subject: "app:" + id.New("user"), Roles: auth.RoleUser}
	s.minted()
	s.at, s.do = step, func() {
		if err := c.make(ctx, by, who.Subject); err != nil {
			t.Error(err)
		}
	}
	got, err := s.ask(ctx, who)
	mints := s.minted()

	committedFirst := step == duringMint || step == beforeRecord
	noticed := committedFirst || by == s.here && step == afterRecord
	switch {
	case noticed && c.block:
		if !errors.Is(err, access.ErrBlocked) {
			t.Fatalf("a blocked user got %+v, %v, want ErrBlocked", got, err)
		}
		if kept, _ := s.cache.Token(ctx, token.CacheKeyFor(who.Subject, time.Hour)); kept != nil {
			t.Error("a blocked user's token was cached")
		}
	case err != nil:
		t.Fatal(err)
	case noticed && mints != 2, !noticed && mints != 1:
		t.Errorf("got %d mints; was the change noticed during the mint: %v", mints, noticed)
	}
	if n := s.recorded(t, who.Subject); committedFirst && c.block && n != 0 {
		t.Errorf("%d grants of a user who was blocked before, want 0", n)
	}

	// In every case the old token is gone once this replica knows of the change.
	if err := s.here.Watcher.Refresh(ctx, access.TriggerPoll); err != nil {
		t.Fatal(err)
	}
	again, err := s.ask(ctx, who)
	switch {
	case c.block:
		if !errors.Is(err, access.ErrBlocked) {
			t.Errorf("a blocked user got %+v, %v, want ErrBlocked", again, err)
		}
	case err != nil:
		t.Fatal(err)
	case (again.Value == got.Value) != noticed:
		t.Errorf("same token as before: got %v, want %v", again.Value == got.Value, noticed)
	}
}

// recorded returns the number of grants of subject.
func (s *mintRace) recorded(t *testing.T, subject string) int {
	t.Helper()
	list, err := s.db.Grants(t.Context(), subject, token.Grant{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestRequestAfterARevocationSharesNoOlderMint makes the change while a mint is held up.
func TestRequestAfterARevocationSharesNoOlderMint(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := newMintRace(t, storetest.SQLite(t), openMemory(t))
			s.service.Minter, s.service.Grants, s.service.Cache = s.minter, s.db, s.cache
			s.minter.gate, s.minter.entered = make(chan struct{}), make(chan struct{}, 3)
			type answer struct {
				token.Issued
				err error
			}
			ask := func() <-chan answer {
				done := make(chan answer, 1)
				go func() {
					issued, err := s.ask(context.Background(), asha)
					done <- answer{issued, err}
				}()
				return done
			}
			before := ask()
			<-s.minter.entered
			if err := c.make(t.Context(), s.here, asha.Subject); err != nil {
				t.Fatal(err)
			}
			after := ask()
			select {
			case <-s.minter.entered:
				if c.block {
					t.Error("a token was minted after the block")
				}
			case got := <-after:
				if !c.block || !errors.Is(got.err, access.ErrBlocked) {
					t.Errorf("answered without a mint: %+v", got)
				}
			case <-time.After(10 * time.Second):
				t.Error("timed out: the request shares the older mint")
			}
			close(s.minter.gate)
			first := <-before
			if c.block {
				if !errors.Is(first.err, access.ErrBlocked) {
					t.Errorf("request during the block: got %+v, want ErrBlocked", first)
				}
				return
			}
			second := <-after
			if first.err != nil || second.err != nil {
				t.Fatal(first.err, second.err)
			}
			if first.Value == "at_tokenx" || second.Value == "at_tokenx" {
				t.Error("the token of the older mint was handed out")
			}
		})
	}
}
