package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// refused reports whether s refuses to be used because its first key is wrong.
func refused(t *testing.T, s *store.DB, id string) bool {
	t.Helper()
	var wrong *store.WrongKeyError
	if err := s.Ready(t.Context()); !errors.As(err, &wrong) || wrong.ID != id || !errors.Is(err, store.ErrUnavailable) {
		t.Logf("ready: %v", err)
		return false
	}
	_, err := s.SavePortfolio(t.Context(), saving(t, "demo:ravi", named("Fund", "2026-03-31")))
	return errors.As(err, &wrong) && errors.Is(err, store.ErrUnavailable)
}

func TestWrongPrimaryKeySealsNothing(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payloads := fill(t, v.open(t, "k1"), 0, 2)
		right := v.keys["k1"]
		v.keys["k1"] = secret.RandomKey()
		if !refused(t, v.open(t, "k1"), "k1") || !refused(t, v.open(t, "k1", "k2"), "k1") {
			t.Error("the wrong key is used")
		}
		v.keys["k1"] = right
		s := v.open(t, "k1")
		reads(t, s, payloads)
		if list, err := s.Portfolios(t.Context(), "demo:ravi", portfolio.Query{Limit: all}); err != nil || len(list) != 0 {
			t.Errorf("kept %v, %v", list, err)
		}
	})
}

func TestKeyHasAProofBeforeItSealsAnything(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		if err := v.open(t, "k1").Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.keys["k1"] = secret.RandomKey()
		if !refused(t, v.open(t, "k1"), "k1") {
			t.Error("another key is used")
		}
		if err := v.open(t, "k2", "k1").Ready(t.Context()); err != nil {
			t.Errorf("with a new id: %v", err)
		}
	})
}

func TestWrongSecondaryKeyCountsAsMissing(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		payloads := fill(t, v.open(t, "k1"), 0, 2)
		right := v.keys["k1"]
		v.keys["k1"] = secret.RandomKey()
		s := v.open(t, "k2", "k1")
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log := v.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "key_id=k1") {
			t.Errorf("logged %s", log)
		}
		list, err := s.Portfolios(t.Context(), "demo:asha", portfolio.Query{Limit: all})
		if err != nil || len(list) != 2 || !list[0].Unreadable || !list[1].Unreadable {
			t.Errorf("listed %+v, %v", list, err)
		}
		for _, r := range reseal(t, s) {
			if r.Unknown["k1"] != 2 || r.Damaged != 0 || r.Rows != 0 {
				t.Errorf("got %+v", r)
			}
		}
		if log := v.log.String(); strings.Count(log, "level=ERROR") != 1 {
			t.Errorf("logged more than once: %s", log)
		}
		v.keys["k1"] = right
		reads(t, v.open(t, "k2", "k1"), payloads)
	})
}

func TestKeyWithoutAProofIsTriedOnRecentPortfolios(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		fill(t, v.open(t, "k1"), 0, 3)
		right := v.keys["k1"]
		v.change(t, `DELETE FROM seal_keys`) // as in a database that is older than proofs
		v.keys["k1"] = secret.RandomKey()
		if !refused(t, v.open(t, "k1"), "k1") {
			t.Error("the first is used")
		}
		later := v.open(t, "k2", "k1")
		if err := later.Ready(t.Context()); err != nil || !strings.Contains(v.log.String(), "key_id=k1") {
			t.Errorf("another: %v; logged %s", err, v.log.String())
		}
		v.keys["k1"] = right
		v.change(t, `UPDATE portfolios SET private = $1 WHERE id = (SELECT max(id) FROM portfolios)`, []byte("\x02k1 damaged"))
		if err := v.open(t, "k1").Ready(t.Context()); err != nil {
			t.Errorf("the right key and a damaged row: %v", err)
		}
		v.keys["k1"] = secret.RandomKey()
		if !refused(t, v.open(t, "k1"), "k1") {
			t.Error("the right key has no proof")
		}
	})
}

func TestReplicasThatStartWithDifferentKeysUseOneOfThem(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		var replicas []*store.DB
		for range 4 {
			v.keys["k1"] = secret.RandomKey()
			replicas = append(replicas, v.open(t, "k1"), v.open(t, "k1"))
		}
		ready := make([]error, len(replicas))
		var starting sync.WaitGroup
		for i, s := range replicas {
			starting.Go(func() { ready[i] = s.Ready(t.Context()) })
		}
		starting.Wait()
		used := 0
		for i := 0; i < len(ready); i += 2 {
			if (ready[i] == nil) != (ready[i+1] == nil) {
				t.Errorf("two replicas with the same key: %v and %v", ready[i], ready[i+1])
			}
			if ready[i] == nil {
				used++
			}
		}
		if used != 1 {
			t.Errorf("%d keys are used as one: %v", used, ready)
		}
	})
}

func TestKeysAreCheckedBeforeTheFirstUseOfADatabaseThatWasDown(t *testing.T) {
	t.Parallel()
	v := &keyring{url: storetest.Postgres(t), hash: secret.RandomKey(), keys: map[string]secret.Text{}}
	before := v.open(t, "k1")
	if _, err := before.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	payloads := fill(t, before, 0, 1)
	right := v.keys["k1"]
	services.RefuseConnections(t, v.url)
	good := v.open(t, "k1")
	v.keys["k1"] = secret.RandomKey()
	wrong := v.open(t, "k1")
	for _, s := range []*store.DB{good, wrong} {
		if err := s.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) || errors.As(err, new(*store.WrongKeyError)) {
			t.Errorf("while the database is down: %v", err)
		}
	}
	services.AllowConnections(t, v.url)
	if _, err := wrong.SavePortfolio(t.Context(), saving(t, "demo:ravi", named("Fund", "2026-03-31"))); !errors.As(err, new(*store.WrongKeyError)) {
		t.Errorf("a save before it was ready: %v", err)
	}
	if !refused(t, wrong, "k1") {
		t.Error("the wrong key is used")
	}
	v.keys["k1"] = right
	for id, payload := range fill(t, good, 1, 1) {
		payloads[id] = payload
	}
	reads(t, good, payloads)
}

func TestCanceledCallerDuringTheKeyCheckIsNotReportedAsUnavailable(t *testing.T) {
	t.Parallel()
	eachKeyring(t, func(t *testing.T, v *keyring) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := v.open(t, "k1").SavePortfolio(ctx, saving(t, "demo:asha", named("Fund", "2026-03-31")))
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}
