package access

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// topic is the PubSub topic on which replicas announce the newest version.
	topic = "access"
	// pageSize is how many changes are read at once.
	pageSize = 500
	// pruneEvery is how often a view is pruned.
	pruneEvery = time.Minute
)

// A trigger says why changes were read; WatchOptions.Observe receives it.
const (
	TriggerLocal   = "own"    // the change was made by this replica
	TriggerMessage = "told"   // a message announced a change
	TriggerPoll    = "polled" // the regular poll
	TriggerCatchUp = "asked"  // a caller of CatchUp needed a newer version
)

// WatchOptions configure a Watcher. All fields but Observe are required.
type WatchOptions struct {
	Store  Store
	PubSub PubSub
	Log    *slog.Logger
	Now    func() time.Time
	Poll   time.Duration // interval between polls
	// MaxAge is how old the last successful refresh may be; past it the view returns
	// ErrStale. With 0 the view answers from the last known state for ever.
	MaxAge time.Duration
	// Hash returns a keyed hash of subject, the same on all replicas, which stands for it in
	// messages.
	Hash    func(subject string) string
	Observe func(trigger string, changes int) // called for each batch of changes that was applied
}

// Watcher keeps a View up to date: it refreshes when a message announces a change, and
// every Poll in case a message was lost. It is safe for concurrent use.
type Watcher struct {
	*View
	WatchOptions

	wake       chan struct{}
	refreshing chan struct{} // a semaphore of 1: one refresh at a time

	// Held by the goroutine that refreshes.
	loaded   bool
	failing  bool
	prunedAt time.Time
}

// NewWatcher returns a Watcher with an empty View, which is stale until the first refresh.
func NewWatcher(o WatchOptions) *Watcher {
	return &Watcher{
		View: newView(o.Now, o.MaxAge, o.Hash), WatchOptions: o,
		wake: make(chan struct{}, 1), refreshing: make(chan struct{}, 1),
	}
}

// Run keeps the view up to date until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var subscribed sync.WaitGroup
	subscribed.Go(func() { w.PubSub.Subscribe(ctx, topic, w.onMessage) })
	defer subscribed.Wait()
	tick := time.NewTicker(w.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.wake:
			_ = w.Refresh(ctx, TriggerMessage) // Refresh logs its errors
		case <-tick.C:
			_ = w.Refresh(ctx, TriggerPoll)
		}
	}
}

// onMessage wakes Run, unless the message announces a version that is already known. If Run
// cannot read the change, the view stops admitting the users concerned.
func (w *Watcher) onMessage(text string) {
	version, user, announces := parseMessage(text)
	if announces && version <= w.Version() {
		return
	}
	if announces {
		w.announce(user)
	}
	select {
	case w.wake <- struct{}{}:
	default: // Run is about to refresh
	}
}

// Ready returns ErrStale before the first successful refresh, and when the last one is
// older than MaxAge.
func (w *Watcher) Ready(context.Context) error {
	_, err := w.Admit("")
	return err
}

// CatchUp returns nil once the view holds all changes up to version. Otherwise it
// returns the error of the refresh, or of ctx.
func (w *Watcher) CatchUp(ctx context.Context, version int64) error {
	return w.refreshUnless(ctx, TriggerCatchUp, func() bool { return w.Version() >= version })
}

// Refresh reads the changes since the last refresh.
func (w *Watcher) Refresh(ctx context.Context, trigger string) error {
	return w.refreshUnless(ctx, trigger, func() bool { return false })
}

// refreshUnless refreshes unless done returns true, now or once it is this caller's turn.
func (w *Watcher) refreshUnless(ctx context.Context, trigger string, done func() bool) error {
	if done() {
		return nil
	}
	select {
	case w.refreshing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-w.refreshing }()
	if done() {
		return nil
	}
	err := w.refresh(ctx, trigger)
	if ctx.Err() != nil {
		return err // the caller is gone; this is no sign that the database is down
	}
	switch {
	case err != nil && !w.failing:
		w.Log.WarnContext(ctx, "cannot read blocks and revocations", "error", err)
	case err == nil && w.failing:
		w.Log.InfoContext(ctx, "blocks and revocations can be read again")
	}
	w.failing = err != nil
	return err
}

func (w *Watcher) refresh(ctx context.Context, trigger string) error {
	began := w.Now()
	newest, err := w.Store.AccessVersion(ctx)
	if err != nil {
		return err
	}
	switch known := w.Version(); {
	case !w.loaded, newest < known: // it is lower after an older copy of the database was restored
		err = w.load(ctx, began)
	case newest > known:
		err = w.applyUpTo(ctx, newest, trigger)
	}
	if err != nil {
		return err
	}
	w.setRefreshed(began)
	if began.Sub(w.prunedAt) >= pruneEvery {
		w.prune(began, began.Add(-Horizon))
		w.prunedAt = began
	}
	return nil
}

// load replaces the view by a snapshot.
func (w *Watcher) load(ctx context.Context, now time.Time) error {
	s, err := w.Store.AccessSnapshot(ctx, now, now.Add(-Horizon))
	if err != nil {
		return err
	}
	w.replace(s)
	w.loaded = true
	return nil
}

// applyUpTo reads and applies the changes up to the version newest, page by page.
func (w *Watcher) applyUpTo(ctx context.Context, newest int64, trigger string) error {
	for {
		changes, err := w.Store.AccessChanges(ctx, w.Version(), pageSize)
		if err != nil {
			return err
		}
		w.apply(changes...)
		if len(changes) > 0 {
			w.setVersion(changes[len(changes)-1].Version)
		}
		w.observe(trigger, len(changes))
		if len(changes) < pageSize {
			w.setVersion(newest)
			return nil
		}
	}
}

func (w *Watcher) observe(trigger string, changes int) {
	if w.Observe != nil && changes > 0 {
		w.Observe(trigger, changes)
	}
}

// applyLocal applies a change that this replica just committed and announces it to the
// others. Errors are only logged: the change is durable, so the next refresh of each
// replica finds it.
func (w *Watcher) applyLocal(ctx context.Context, o Outcome) {
	if !o.Already {
		w.apply(o.Change)
		w.observe(TriggerLocal, 1)
	}
	w.Announce(ctx, o.Newest, o.Subject)
}

// applyTimeout bounds how long a call waits after the commit for the change to be applied
// and announced.
const applyTimeout = 5 * time.Second

// Announce brings the view of this replica up to version, which has been committed for subject
// or, if that is "", for all users, and announces it to the others. Errors are only logged, as by applyLocal. It does not end
// with ctx: a caller who disconnects must not stop a change from spreading.
func (w *Watcher) Announce(ctx context.Context, version int64, subject string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	user := allUsers
	if subject != "" {
		user = w.Hash(subject)
	}
	if err := w.PubSub.Publish(ctx, topic, message(version, user)); err != nil {
		w.Log.WarnContext(ctx, "cannot announce a change of access to the other replicas; they find it at their next poll", "error", err)
	}
	_ = w.CatchUp(ctx, version) // CatchUp logs its errors
}
