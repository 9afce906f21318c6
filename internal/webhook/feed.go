package webhook

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"casbroker/internal/httpapi"
)

const (
	// MaxPage is how many events one answer has at most.
	MaxPage = 500
	// MaxWait is how long a request may wait for an event.
	MaxWait = 30 * time.Second

	numberBatch = 500 // events in one transaction
	// pollEvery is how often events of other replicas are looked for.
	pollEvery = time.Second
)

// Store has the events.
type Store interface {
	// Emitted receives a value after this process has committed an event.
	Emitted() <-chan struct{}
	// NumberEvents gives up to limit events their positions, adds their deliveries, which are
	// due at now, and returns how many events it was.
	NumberEvents(ctx context.Context, now time.Time, limit int) (int, error)
	// Events returns up to limit events after a position, in their order, and the last
	// position that was given.
	Events(ctx context.Context, after int64, limit int) (list []Event, newest int64, err error)
}

// Feed gives events their positions and lists them. Store and Now are required. It is safe
// for concurrent use.
type Feed struct {
	Store Store
	Now   func() time.Time

	mu   sync.Mutex
	news chan struct{} // closed when there are new positions
	done chan struct{} // closed when Run ends
}

// Page is a part of the list of events.
type Page struct {
	Events []Event
	Next   string // cursor of what comes after; never ""
}

// Run gives events their positions until ctx ends. It returns the errors of the store,
// after which it may be called again.
func (f *Feed) Run(ctx context.Context) error {
	context.AfterFunc(ctx, f.endWaits)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		n, err := f.Store.NumberEvents(ctx, f.Now(), numberBatch)
		if err != nil {
			return err
		}
		if n > 0 {
			f.announce()
		}
		if n == numberBatch {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.Store.Emitted():
		case <-tick.C:
		}
	}
}

// News returns a channel that is closed when this process has given positions.
func (f *Feed) News() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return f.news
}

func (f *Feed) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// ended returns a channel that is closed when no request may wait any more.
func (f *Feed) ended() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
	}
	return f.done
}

// endWaits has waiting requests answered, so that they do not hold up the shutdown.
func (f *Feed) endWaits() {
	done := f.ended()
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-done:
	default:
		close(done)
	}
}

// Query selects events.
type Query struct {
	After string // a cursor; "" is before the oldest
	Limit int    // 1 to MaxPage
	Wait  time.Duration
	Apps  []string // names of verifiers, of whose users; events without a user are for all
}

// shows reports whether e is one that q selects.
func (q Query) shows(e Event) bool {
	app, _, _ := strings.Cut(e.Subject, ":")
	return e.Subject == "" || slices.Contains(q.Apps, app)
}

// List returns events. If there is none, it waits for one, for at most q.Wait. It returns
// faults for an invalid cursor or limit.
func (f *Feed) List(ctx context.Context, q Query) (Page, error) {
	seq, ok := decodeCursor(q.After)
	switch {
	case !ok:
		return Page{}, httpapi.ErrCursor.Withf("after must be the next_after of an earlier answer; leave it out for the oldest event.")
	case q.Limit < 1 || q.Limit > MaxPage:
		return Page{}, httpapi.BadLimit(MaxPage)
	}
	timeout := time.NewTimer(q.Wait)
	defer timeout.Stop()
	for {
		news := f.News() // before the events are read, so none is missed
		list, newest, err := f.Store.Events(ctx, seq, q.Limit)
		switch {
		case err != nil:
			return Page{}, err
		case seq > newest:
			return Page{}, httpapi.ErrCursor.Withf("after is later than the newest event: the broker's database was replaced by an older copy. Leave after out to start with the oldest event.")
		case len(list) > 0:
			seq = list[len(list)-1].Seq
			list = slices.DeleteFunc(list, func(e Event) bool { return !q.shows(e) })
			if len(list) > 0 {
				return Page{Events: list, Next: encodeCursor(seq)}, nil
			}
			continue // those of other apps
		}
		if q.Wait <= 0 || !f.await(ctx, news, timeout.C) {
			return Page{Next: encodeCursor(seq)}, ctx.Err()
		}
	}
}

// await waits for events and reports whether to look for them. Those of other replicas show
// in the database alone.
func (f *Feed) await(ctx context.Context, news <-chan struct{}, timeout <-chan time.Time) bool {
	other := time.NewTimer(pollEvery)
	defer other.Stop()
	select {
	case <-news:
		return true
	case <-other.C:
		return true
	case <-timeout:
	case <-f.ended():
	case <-ctx.Done():
	}
	return false
}

// feedCursor begins the cursors of events.
const feedCursor = "ev "

func encodeCursor(seq int64) string { return encodePosition(feedCursor, seq) }

func decodeCursor(text string) (seq int64, ok bool) { return decodePosition(text, feedCursor) }

// encodePosition returns the cursor of a position; kind tells those of one list from others.
func encodePosition(kind string, seq int64) string {
	return httpapi.EncodeCursor(kind + strconv.FormatInt(seq, 10))
}

// decodePosition returns the position in a cursor, 0 for "".
func decodePosition(text, kind string) (seq int64, ok bool) {
	if text == "" {
		return 0, true
	}
	position, ok := httpapi.DecodeCursor(text)
	if !ok {
		return 0, false
	}
	number, ok := strings.CutPrefix(position, kind)
	seq, err := strconv.ParseInt(number, 10, 64)
	return seq, ok && err == nil && seq >= 0
}
