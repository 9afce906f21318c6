package access_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/store"
)

func sqlite(t *testing.T) *store.DB {
	t.Helper()
	return openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
}

func TestNothingIsKnownBeforeTheFirstLook(t *testing.T) {
	t.Parallel()
	r := newReplica(sqlite(t), &clock{}, silent{}, time.Hour)
	if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrStale) {
		t.Errorf("a user is let in: %v", err)
	}
	if err := r.view.Ready(t.Context()); !errors.Is(err, access.ErrStale) {
		t.Errorf("it is ready: %v", err)
	}
	r.db.away.Store(true)
	if err := r.view.Look(t.Context(), access.LearnedPolled); !errors.Is(err, errAway) {
		t.Errorf("a look without a database: %v", err)
	}
	r.db.away.Store(false)
	r.look(t)
	if err := r.view.Ready(t.Context()); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
}

func TestAReplicaThatStartsLaterKnowsAllThatMatters(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, db *store.DB) {
		c := &clock{}
		first := loaded(t, db, c)
		ctx := t.Context()
		old := first.version(t, asha)
		for _, err := range []error{
			second(first.Block(ctx, operator, asha, "", time.Time{})),
			second(first.Block(ctx, operator, "app:over", "", c.now().Add(time.Minute))),
			second(first.Block(ctx, operator, "app:lifted", "", time.Time{})),
			second(first.Unblock(ctx, operator, "app:lifted")),
			second(first.RevokeUser(ctx, operator, rohan)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		c.advance(time.Minute)
		later := loaded(t, db, c)
		if _, err := later.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
			t.Errorf("a blocked user is let in: %v", err)
		}
		if later.version(t, "app:over") != 5 || later.version(t, "app:lifted") != 5 || later.view.Blocks() != 1 {
			t.Errorf("%d blocks are held, want 1", later.view.Blocks())
		}
		for _, subject := range []string{asha, rohan, "app:over", "app:lifted"} {
			if later.view.Counts(subject, "gr_1", old) {
				t.Errorf("an old token of %s counts", subject)
			}
		}
		c.advance(2 * access.Horizon) // no token is that old, so revocations need not be known
		latest := loaded(t, db, c)
		if _, err := latest.view.Admit(asha); !errors.Is(err, access.ErrBlocked) {
			t.Errorf("a block was forgotten: %v", err)
		}
		latest.version(t, rohan)
		first.look(t)
		if _, err := first.view.Admit(asha); !errors.Is(err, access.ErrBlocked) || first.view.Blocks() != 1 {
			t.Errorf("the first replica forgot the block: %v", err)
		}
	})
}

func second(_ access.Result, err error) error { return err }

func TestOthersKnowOfAChangeOnceToldOrOnceTheyLook(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]access.Wire{"told": &hall{hears: map[int]func(string){}}, "polled": silent{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqlite(t)
			learns(t, db, wire)
		})
	}
}

// learns waits for the other replica to know of a block that the first one makes.
func learns(t *testing.T, db *store.DB, wire access.Wire) {
	t.Helper()
	c := &clock{}
	maker, other := newReplica(db, c, wire, time.Hour), newReplica(db, c, wire, 5*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { maker.view.Run(ctx) })
	all.Go(func() { other.view.Run(ctx) })
	defer all.Wait()
	defer cancel()
	maker.look(t)
	if _, err := maker.Block(ctx, operator, asha, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the other replica to block", func() bool {
		_, err := other.view.Admit(asha)
		return errors.Is(err, access.ErrBlocked)
	})
}

// await asks until it is so, for ten seconds at most.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAViewThatIsTooOldLetsNobodyIn(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := loaded(t, sqlite(t), c)
	r.db.away.Store(true)
	c.advance(time.Minute)
	if err := r.view.Look(t.Context(), access.LearnedPolled); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	r.version(t, asha)
	c.advance(time.Second)
	if _, err := r.view.Admit(asha); !errors.Is(err, access.ErrStale) {
		t.Errorf("after 61 seconds: %v", err)
	}
	if r.view.Age() != 61*time.Second {
		t.Errorf("the view is %s old", r.view.Age())
	}
	r.db.away.Store(false)
	r.look(t)
	r.version(t, asha)
}

func TestACopyOfAnOlderDatabaseIsReadAnew(t *testing.T) {
	t.Parallel()
	c := &clock{}
	older, newer := sqlite(t), sqlite(t)
	for _, subject := range []string{asha, rohan} {
		if _, err := loaded(t, newer, c).Block(t.Context(), operator, subject, "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loaded(t, older, c).Block(t.Context(), operator, rohan, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	r := loaded(t, newer, c)
	r.db.Keeper = older
	r.look(t)
	r.version(t, asha)
	if _, err := r.view.Admit(rohan); !errors.Is(err, access.ErrBlocked) || r.view.Blocks() != 1 || r.view.Version() != 1 {
		t.Errorf("rohan: %v, %d blocks, version %d", err, r.view.Blocks(), r.view.Version())
	}
}

func TestChangesAreReadPageByPage(t *testing.T) {
	t.Parallel()
	const changes = 520 // more than a page
	c, db := &clock{}, sqlite(t)
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
		t.Errorf("the maker knows %d changes", maker.view.Version())
	}
	other.look(t)
	if other.view.Version() != changes || other.view.Counts("app:0", "gr_1", 0) || other.view.Counts("app:519", "gr_1", 0) {
		t.Errorf("the other knows %d changes", other.view.Version())
	}
}

func TestWhoWaitsForAVersionGetsItOrIsTold(t *testing.T) {
	t.Parallel()
	c, db := &clock{}, sqlite(t)
	maker, other := loaded(t, db, c), loaded(t, db, c)
	if _, err := maker.RevokeAll(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	if err := other.view.CatchUp(t.Context(), 1); err != nil || other.view.Version() != 1 {
		t.Errorf("version %d, %v", other.view.Version(), err)
	}
	other.db.away.Store(true)
	if err := other.view.CatchUp(t.Context(), 1); err != nil {
		t.Errorf("it knew enough, and looked: %v", err)
	}
	if err := other.view.CatchUp(t.Context(), 2); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

func TestRunLooksAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := &counting{}
		w := access.NewWatcher(access.WatchOptions{
			Keeper: keeper, Wire: silent{}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Poll: 2 * time.Second, MaxAge: time.Minute,
		})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		w.Run(ctx)
		if keeper.looks != 4 {
			t.Errorf("in nine seconds it looked %d times, want 4", keeper.looks)
		}
	})
}

// counting is a Keeper in which nothing ever changed.
type counting struct {
	access.Keeper
	looks int
}

func (k *counting) AccessVersion(context.Context) (int64, error) {
	k.looks++
	return 0, nil
}

func (k *counting) AccessSnapshot(context.Context, time.Time, time.Time) (access.Snapshot, error) {
	return access.Snapshot{}, nil
}
