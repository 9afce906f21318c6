package access_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

func TestViewIsStaleBeforeTheFirstRefresh(t *testing.T) {
	t.Parallel()
	r := newReplica(storetest.New(t), &clock{}, noMessages{}, time.Hour)
	if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrStale) {
		t.Errorf("Admit: got %v, want ErrStale", err)
	}
	if err := r.view.Ready(t.Context()); !errors.Is(err, access.ErrStale) {
		t.Errorf("Ready before the first refresh: got %v, want ErrStale", err)
	}
	r.db.down.Store(true)
	if err := r.view.Refresh(t.Context(), access.TriggerPoll); !errors.Is(err, errDown) {
		t.Errorf("Refresh without a database: got %v, want %v", err, errDown)
	}
	r.db.down.Store(false)
	r.refresh(t)
	if err := r.view.Ready(t.Context()); err != nil {
		t.Errorf("Ready after a refresh: %v", err)
	}
}

func TestNewReplicaLoadsBlocksAndRecentRevocations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		first := loaded(t, db, c)
		ctx := t.Context()
		old := first.version(t, asha)
		for _, err := range []error{
			errorOf(first.Block(ctx, operator, asha, "", time.Time{})),
			errorOf(first.Block(ctx, operator, "app:ended", "", c.now().Add(time.Minute))),
			errorOf(first.Block(ctx, operator, "app:lifted", "", time.Time{})),
			errorOf(first.Unblock(ctx, operator, "app:lifted")),
			errorOf(first.RevokeUser(ctx, operator, rohan)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		c.advance(time.Minute)
		later := loaded(t, db, c)
		if _, err := later.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
			t.Errorf("Admit of a blocked user: got %v, want ErrBlocked", err)
		}
		if later.version(t, "app:ended") != 5 || later.version(t, "app:lifted") != 5 || later.view.Blocks() != 1 {
			t.Errorf("Blocks: got %d, want 1", later.view.Blocks())
		}
		for _, subject := range []string{asha, rohan, "app:ended", "app:lifted"} {
			if later.view.Valid(subject, "gr_1", old) {
				t.Errorf("an old token of %s is valid", subject)
			}
		}
		c.advance(2 * access.Horizon) // older than every token, so revocations may be dropped
		latest := loaded(t, db, c)
		if _, err := latest.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
			t.Errorf("a block was dropped: got %v, want ErrBlocked", err)
		}
		latest.version(t, rohan)
		first.refresh(t)
		if _, err := first.view.Admit(asha); !errors.Is(err, access.ErrBlocked) || first.view.Blocks() != 1 {
			t.Errorf("the first replica dropped the block: got %v, want ErrBlocked", err)
		}
	})
}

// errorOf drops the result.
func errorOf(_ access.Result, err error) error { return err }

func TestOtherReplicasLearnOfAChangeByMessageOrPoll(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string]access.PubSub{"message": &localPubSub{receivers: map[int]func(string){}}, "poll": noMessages{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			waitForBlock(t, db, messages)
		})
	}
}

// waitForBlock blocks a user at one replica and waits until the other refuses that user.
func waitForBlock(t *testing.T, db *store.DB, messages access.PubSub) {
	t.Helper()
	c := &clock{}
	maker, other := newReplica(db, c, messages, time.Hour), newReplica(db, c, messages, 5*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { maker.view.Run(ctx) })
	all.Go(func() { other.view.Run(ctx) })
	defer all.Wait()
	defer cancel()
	maker.refresh(t)
	if _, err := maker.Block(ctx, operator, asha, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the other replica to block", func() bool {
		_, err := other.view.Admit(asha)
		return errors.Is(err, access.ErrBlocked)
	})
}

// await polls done until it returns true, for ten seconds at most.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func TestStaleViewAdmitsNoUser(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := loaded(t, storetest.New(t), c)
	r.db.down.Store(true)
	c.advance(time.Minute)
	if err := r.view.Refresh(t.Context(), access.TriggerPoll); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	r.version(t, asha)
	c.advance(time.Second)
	if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrStale) {
		t.Errorf("Admit after 61 seconds: got %v, want ErrStale", err)
	}
	if r.view.Age() != 61*time.Second {
		t.Errorf("Age: got %s, want 61s", r.view.Age())
	}
	r.db.down.Store(false)
	r.refresh(t)
	r.version(t, asha)
}

func TestViewIsReloadedAfterAnOlderDatabaseIsRestored(t *testing.T) {
	t.Parallel()
	c := &clock{}
	older, newer := storetest.New(t), storetest.New(t)
	for _, subject := range []string{asha, rohan} {
		if _, err := loaded(t, newer, c).Block(t.Context(), operator, subject, "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loaded(t, older, c).Block(t.Context(), operator, rohan, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	r := loaded(t, newer, c)
	r.db.Store = older
	r.refresh(t)
	r.version(t, asha)
	if _, err := r.view.Admit(rohan); !errors.Is(err, access.ErrBlocked) || r.view.Blocks() != 1 || r.view.Version() != 1 {
		t.Errorf("Admit of rohan: %v; %d blocks, version %d; want ErrBlocked, 1 and 1", err, r.view.Blocks(), r.view.Version())
	}
}

func TestChangesAreReadPageByPage(t *testing.T) {
	t.Parallel()
	const changes = 520 // more than a page
	c, db := &clock{}, storetest.New(t)
	maker, other := loaded(t, db, c), loaded(t, db, c)
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < changes; i += 16 {
				if _, err := maker.RevokeUser(t.Context(), operator, "app:"+strconv.Itoa(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if maker.view.Version() != changes {
		t.Errorf("version of the replica that made the changes: got %d, want %d", maker.view.Version(), changes)
	}
	other.refresh(t)
	if other.view.Version() != changes || other.view.Valid("app:0", "gr_1", 0) || other.view.Valid("app:519", "gr_1", 0) {
		t.Errorf("version of the other replica: got %d, want %d; or an old token is valid", other.view.Version(), changes)
	}
}

func TestCatchUpReachesTheVersionOrFails(t *testing.T) {
	t.Parallel()
	c, db := &clock{}, storetest.New(t)
	maker, other := loaded(t, db, c), loaded(t, db, c)
	if _, err := maker.RevokeAll(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	if err := other.view.CatchUp(t.Context(), 1); err != nil || other.view.Version() != 1 {
		t.Errorf("version %d, %v", other.view.Version(), err)
	}
	other.db.down.Store(true)
	if err := other.view.CatchUp(t.Context(), 1); err != nil {
		t.Errorf("CatchUp to a known version queried the database: %v", err)
	}
	if err := other.view.CatchUp(t.Context(), 2); !errors.Is(err, errDown) {
		t.Errorf("CatchUp without a database: got %v, want %v", err, errDown)
	}
}

func TestRunPollsRegularly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &pollCounter{}
		w := access.NewWatcher(access.WatchOptions{
			Store: db, PubSub: noMessages{}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: 2 * time.Second, MaxAge: time.Minute,
			Hash: strings.ToUpper,
		})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		w.Run(ctx)
		if db.polls != 4 {
			t.Errorf("polls in nine seconds: got %d, want 4", db.polls)
		}
	})
}

// pollCounter is a Store without changes that counts polls.
type pollCounter struct {
	access.Store
	polls int
}

func (p *pollCounter) AccessVersion(context.Context) (int64, error) {
	p.polls++
	return 0, nil
}

func (p *pollCounter) AccessSnapshot(context.Context, time.Time, time.Time) (access.Snapshot, error) {
	return access.Snapshot{}, nil
}
