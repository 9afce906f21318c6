package access

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

const (
	// topic is where replicas tell one another that there is something new.
	topic = "access"
	// page is how many changes are read at once.
	page = 500
	// forgetEvery is how often what does not matter any more is dropped.
	forgetEvery = time.Minute
)

// How a change came to be known.
const (
	LearnedOwn    = "own"    // made here
	LearnedTold   = "told"   // after a message
	LearnedPolled = "polled" // by looking, as is done all the time
	LearnedAsked  = "asked"  // by looking because somebody needed to know
)

// WatchOptions say what a Watcher needs. All fields but Observe are required.
type WatchOptions struct {
	Keeper Keeper
	Wire   Wire
	Log    *slog.Logger
	Now    func() time.Time
	Poll   time.Duration // between two looks
	// MaxAge is how old the last successful look may be; past it the view answers
	// ErrStale. 0 lets it answer from what it knew last.
	MaxAge  time.Duration
	Observe func(learned string, changes int) // is told of changes that came to be known
}

// Watcher keeps a View up to date: it looks when a message says that there is
// something new, and every Poll in case a message was lost. It is safe for
// concurrent use.
type Watcher struct {
	*View
	WatchOptions

	wake chan struct{}
	turn chan struct{} // has room for the one that looks

	// Of the one whose turn it is.
	loaded  bool
	failing bool
	forgot  time.Time
}

// NewWatcher returns a Watcher that knows nothing yet.
func NewWatcher(o WatchOptions) *Watcher {
	return &Watcher{
		View: newView(o.Now, o.MaxAge), WatchOptions: o,
		wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
	}
}

// Run keeps the view up to date until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var listening sync.WaitGroup
	listening.Go(func() { w.Wire.Listen(ctx, topic, w.hear) })
	defer listening.Wait()
	tick := time.NewTicker(w.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.wake:
			_ = w.Look(ctx, LearnedTold) // Look has said so
		case <-tick.C:
			_ = w.Look(ctx, LearnedPolled)
		}
	}
}

// hear wakes Run, unless the message is of a version that is known already.
func (w *Watcher) hear(message string) {
	if version, err := strconv.ParseInt(message, 10, 64); err == nil && version <= w.Version() {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look
	}
}

// Ready returns ErrStale until everything was loaded, and when the last successful
// look is too long ago.
func (w *Watcher) Ready(context.Context) error {
	_, err := w.Admit("")
	return err
}

// CatchUp returns once the view knows all changes up to version, or why it cannot.
func (w *Watcher) CatchUp(ctx context.Context, version int64) error {
	return w.look(ctx, LearnedAsked, func() bool { return w.Version() >= version })
}

// Look reads what is new. learned says why it is done.
func (w *Watcher) Look(ctx context.Context, learned string) error {
	return w.look(ctx, learned, func() bool { return false })
}

// look reads what is new, one at a time, unless enough is known when its turn comes.
func (w *Watcher) look(ctx context.Context, learned string, enough func() bool) error {
	if enough() {
		return nil
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-w.turn }()
	if enough() {
		return nil
	}
	err := w.read(ctx, learned)
	if ctx.Err() != nil {
		return err // whoever asked has gone, which says nothing of the database
	}
	switch {
	case err != nil && !w.failing:
		w.Log.WarnContext(ctx, "blocks and revocations cannot be read", "error", err)
	case err == nil && w.failing:
		w.Log.InfoContext(ctx, "blocks and revocations can be read again")
	}
	w.failing = err != nil
	return err
}

func (w *Watcher) read(ctx context.Context, learned string) error {
	began := w.Now()
	newest, err := w.Keeper.AccessVersion(ctx)
	if err != nil {
		return err
	}
	switch known := w.Version(); {
	case !w.loaded, newest < known: // it is lower once an old copy of the database was put back
		err = w.load(ctx, began)
	case newest > known:
		err = w.follow(ctx, newest, learned)
	}
	if err != nil {
		return err
	}
	w.learnedMS.Store(began.UnixMilli())
	if began.Sub(w.forgot) >= forgetEvery {
		w.forget(began, began.Add(-Horizon))
		w.forgot = began
	}
	return nil
}

func (w *Watcher) load(ctx context.Context, now time.Time) error {
	s, err := w.Keeper.AccessSnapshot(ctx, now, now.Add(-Horizon))
	if err != nil {
		return err
	}
	w.fill(s)
	w.loaded = true
	return nil
}

// follow reads the changes up to newest.
func (w *Watcher) follow(ctx context.Context, newest int64, learned string) error {
	for {
		changes, err := w.Keeper.AccessChanges(ctx, w.Version(), page)
		if err != nil {
			return err
		}
		for _, c := range changes {
			w.apply(c)
			w.reach(c.Version)
		}
		w.observe(learned, len(changes))
		if len(changes) < page {
			w.reach(newest)
			return nil
		}
	}
}

func (w *Watcher) observe(learned string, changes int) {
	if w.Observe != nil && changes > 0 {
		w.Observe(learned, changes)
	}
}

// made takes in a change that was just made here, and tells the other replicas. What
// fails here heals by itself, since the change is durable: by the next look.
func (w *Watcher) made(ctx context.Context, o Outcome) {
	if !o.Already {
		w.apply(o.Change)
		w.observe(LearnedOwn, 1)
	}
	if err := w.Wire.Tell(ctx, topic, strconv.FormatInt(o.Newest, 10)); err != nil {
		w.Log.WarnContext(ctx, "the other replicas could not be told of a change; they find it when they look next", "error", err)
	}
	_ = w.CatchUp(ctx, o.Newest) // look has said so
}
