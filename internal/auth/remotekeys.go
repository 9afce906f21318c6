package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// keyWait is how long a request waits for a key set that is being loaded.
	keyWait = 2 * time.Second
	// minRequestInterval is the minimum time between two loads because of unknown key
	// ids: invented ids must not cause load on the issuer.
	minRequestInterval = 10 * time.Second
	// The pause after a failed load doubles from firstRetry to lastRetry.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// remoteKeys is a key set that one goroutine loads over HTTP; requests never load it
// themselves. The last keys that were loaded stay in use until others arrive, for at most
// maxAge.
type remoteKeys struct {
	name   string
	every  time.Duration
	maxAge time.Duration
	algs   []algorithm
	fetch  func(context.Context) ([]byte, error)
	now    func() time.Time
	log    *slog.Logger

	set      atomic.Pointer[keySet] // nil until the first load
	loadedAt atomic.Int64           // when that set was last loaded, in unix seconds
	wake     chan struct{}          // has capacity 1

	mu        sync.Mutex
	done      chan struct{} // closed when the running or requested load ends; nil if there is none
	requested time.Time     // when a load was last requested
	failed    error         // why the last load failed; nil if it did not
}

func newRemoteKeys(s Verifier, algs []algorithm, opts Options) *remoteKeys {
	return &remoteKeys{
		name:   s.Name,
		every:  s.Refresh,
		maxAge: s.MaxKeyAge,
		algs:   algs,
		fetch:  newKeyFetcher(opts.HTTP, s).fetch,
		now:    opts.Now,
		log:    opts.Log,
		wake:   make(chan struct{}, 1),
	}
}

var (
	errNotLoaded = errors.New("has not loaded its keys yet")
	errKeysOld   = errors.New("has not been able to load its keys for longer than max_key_age")
)

func (r *remoteKeys) loaded() bool { return r.set.Load() != nil }

func (r *remoteKeys) ready(now int64) error {
	switch {
	case !r.loaded():
		return errNotLoaded
	case r.old(now):
		return errKeysOld
	}
	return nil
}

// old reports whether the keys were loaded too long ago to count at now, in unix seconds.
func (r *remoteKeys) old(now int64) bool {
	return now-r.loadedAt.Load() > int64(r.maxAge/time.Second)
}

func (r *remoteKeys) start(ctx context.Context) {
	r.begin() // before New returns, so that early requests wait for the first load
	go r.run(ctx)
}

// run loads the set immediately, and then whenever it is due or requested, until ctx ends.
func (r *remoteKeys) run(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = firstRetry, lastRetry
	for {
		pause := r.every
		if r.refresh(ctx) {
			retry.Reset()
		} else {
			pause = min(pause, retry.NextBackOff())
		}
		due := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		case <-r.wake:
			due.Stop()
		}
	}
}

// refresh loads the set once and reports whether it succeeded.
func (r *remoteKeys) refresh(ctx context.Context) bool {
	r.begin()
	defer r.end()
	text, err := r.fetch(ctx)
	if err != nil {
		r.noteFailure(ctx, err)
		return false
	}
	set, err := newKeySet(text, r.algs)
	if set == nil || len(set.named) == 0 && !r.loaded() { // an issuer may withdraw its keys, but not begin without
		r.noteFailure(ctx, err)
		return false
	}
	r.mu.Lock()
	r.failed = nil
	r.mu.Unlock()
	r.loadedAt.Store(r.now().Unix())
	if old := r.set.Load(); old == nil || !old.same(set) {
		r.replace(ctx, old, set, err)
	}
	return true
}

// noteFailure logs that a load failed, and keeps the reason for Loaded.
func (r *remoteKeys) noteFailure(ctx context.Context, err error) {
	r.mu.Lock()
	r.failed = err
	r.mu.Unlock()
	if ctx.Err() == nil {
		r.log.WarnContext(ctx, "cannot load key set", "verifier", r.name, "serving", r.ready(r.now().Unix()) == nil, "error", err)
	}
}

// replace puts new keys into use. leftOut says why keys of the document are not used.
func (r *remoteKeys) replace(ctx context.Context, old, set *keySet, leftOut error) {
	if old != nil {
		set.generation = old.generation + 1
	}
	r.set.Store(set)
	attrs := []any{"verifier", r.name, "keys", len(set.named)}
	if leftOut != nil {
		attrs = append(attrs, "left_out", leftOut)
	}
	if len(set.named) == 0 {
		r.log.WarnContext(ctx, "the issuer has withdrawn all its keys: its tokens are refused", attrs...)
		return
	}
	r.log.InfoContext(ctx, "key set loaded", attrs...)
}

func (r *remoteKeys) find(ctx context.Context, alg, kid string) ([]any, uint32, error) {
	name := keyName{kid: kid, alg: alg}
	keys, generation, err := r.lookUp(name)
	if err == nil {
		return keys, generation, nil
	}
	done := r.requestLoad()
	if done == nil {
		return nil, 0, err
	}
	timeout := time.NewTimer(keyWait)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	case <-ctx.Done():
	}
	return r.lookUp(name)
}

func (r *remoteKeys) current(generation uint32, now int64) bool {
	set := r.set.Load()
	return set != nil && set.generation == generation && !r.old(now)
}

func (r *remoteKeys) lookUp(name keyName) ([]any, uint32, error) {
	set := r.set.Load()
	if set == nil || r.old(r.now().Unix()) {
		return nil, 0, ErrUnavailable
	}
	key, err := set.find(name)
	return []any{key}, set.generation, err
}

// requestLoad returns a channel that is closed when the running load ends. If none is
// running it requests one. It returns nil if that is too early, or if the set has never
// been loaded, in which case run keeps trying by itself.
func (r *remoteKeys) requestLoad() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		return r.done
	}
	now := r.now()
	if !r.loaded() || now.Sub(r.requested) < minRequestInterval {
		return nil
	}
	r.requested = now
	r.done = make(chan struct{})
	r.wake <- struct{}{} // does not block: begin empties it, and end comes after begin
	return r.done
}

// begin marks a load as running. It also serves a pending request for one.
func (r *remoteKeys) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = make(chan struct{})
	}
	select {
	case <-r.wake:
	default:
	}
}

// end marks the load as finished and wakes the requests that wait for it.
func (r *remoteKeys) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.done)
	r.done = nil
}
