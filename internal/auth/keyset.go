package auth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// keyWait is how long a request waits for a key set that is being loaded.
	keyWait = 2 * time.Second
	// askAgain is how long after a load for the sake of an unknown key id the next
	// one may be: made-up ids must not turn into load on the issuer.
	askAgain = 10 * time.Second
	// The pauses between loads after one has failed, which double from first to last.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// keySet is a key set that is loaded over HTTP, by one goroutine, so that no
// request ever loads one itself. The keys loaded last serve until others arrive.
type keySet struct {
	name  string
	every time.Duration
	algs  []algorithm
	load  func(context.Context) ([]byte, error)
	now   func() time.Time
	log   *slog.Logger

	ring atomic.Pointer[keyRing] // nil until one was loaded
	wake chan struct{}           // has room for one

	mu    sync.Mutex
	done  chan struct{} // closed when the load under way or asked for is over; nil if none is
	asked time.Time     // when a load was last asked for
}

func newKeySet(s Verifier, algs []algorithm, opts Options) *keySet {
	return &keySet{
		name:  s.Name,
		every: s.Refresh,
		algs:  algs,
		load:  newIssuer(opts.HTTP, s).keySet,
		now:   opts.Now,
		log:   opts.Log,
		wake:  make(chan struct{}, 1),
	}
}

func (s *keySet) loaded() bool { return s.ring.Load() != nil }

func (s *keySet) start(ctx context.Context) {
	s.begin() // before New returns, so that an early request waits for the first load
	go s.run(ctx)
}

// run loads the set at once and whenever it is due or asked for, until ctx ends.
func (s *keySet) run(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = firstRetry, lastRetry
	for {
		pause := s.every
		if s.refresh(ctx) {
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
		case <-s.wake:
			due.Stop()
		}
	}
}

// refresh loads the set once and reports whether that worked.
func (s *keySet) refresh(ctx context.Context) bool {
	s.begin()
	defer s.end()
	set, err := s.load(ctx)
	if err != nil {
		s.complain(ctx, err)
		return false
	}
	ring, err := newKeyRing(set, s.algs)
	if ring == nil {
		s.complain(ctx, err)
		return false
	}
	if old := s.ring.Load(); old == nil || !old.same(ring) {
		s.replace(ctx, old, ring, err)
	}
	return true
}

func (s *keySet) complain(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.log.WarnContext(ctx, "key set not loaded", "verifier", s.name, "serving", s.loaded(), "error", err)
	}
}

// replace puts new keys in force. leftOut tells of keys that are not used.
func (s *keySet) replace(ctx context.Context, old, ring *keyRing, leftOut error) {
	if old != nil {
		ring.generation = old.generation + 1
	}
	s.ring.Store(ring)
	attrs := []any{"verifier", s.name, "keys", len(ring.named)}
	if leftOut != nil {
		attrs = append(attrs, "left_out", leftOut)
	}
	s.log.InfoContext(ctx, "key set loaded", attrs...)
}

func (s *keySet) find(ctx context.Context, alg, kid string) (any, uint32, error) {
	name := keyName{kid: kid, alg: alg}
	key, keys, err := s.look(name)
	if err == nil {
		return key, keys, nil
	}
	done := s.ask()
	if done == nil {
		return nil, 0, err
	}
	patience := time.NewTimer(keyWait)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	case <-ctx.Done():
	}
	return s.look(name)
}

func (s *keySet) generation() uint32 {
	if ring := s.ring.Load(); ring != nil {
		return ring.generation
	}
	return 0
}

func (s *keySet) look(name keyName) (any, uint32, error) {
	ring := s.ring.Load()
	if ring == nil {
		return nil, 0, ErrUnavailable
	}
	key, err := ring.find(name)
	return key, ring.generation, err
}

// ask returns what is closed when the load under way is over. When none is, it
// asks for one; nil means that it is too early for that, or that the set has
// never been loaded, in which case it is being tried again anyhow.
func (s *keySet) ask() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		return s.done
	}
	now := s.now()
	if !s.loaded() || now.Sub(s.asked) < askAgain {
		return nil
	}
	s.asked = now
	s.done = make(chan struct{})
	s.wake <- struct{}{} // has room: begin empties it, and end comes after begin
	return s.done
}

// begin marks that a load is under way, which is what was asked for, if anything was.
func (s *keySet) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
	}
	select {
	case <-s.wake:
	default:
	}
}

// end lets go those who wait for the load.
func (s *keySet) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.done)
	s.done = nil
}
