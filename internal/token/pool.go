package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

const (
	// poolPause is the least time between two mints of a Pool: 20 of the 60 requests a
	// minute that the vendor allows an account.
	poolPause = 3 * time.Second
	// poolMaxPause bounds the pause after failed mints, which doubles with each one.
	poolMaxPause = time.Minute
	// poolFresh is the part of its life after which a token in a Pool is replaced, as a
	// divisor: a quarter.
	poolFresh = 4
	// poolData is the associated data of the sealed tokens in a Pool.
	poolData = "token pool"
)

// Pool is a Minter that keeps tokens of another Minter ready, so that a user's first token
// does not wait for the vendor. A token that is ready belongs to nobody; Mint hands it out
// once. All fields but Observe are required. It is safe for concurrent use and must not be
// copied.
type Pool struct {
	Minter Minter
	Size   int           // tokens that are kept ready
	TTL    time.Duration // for which they are minted
	Box    *secret.Box   // seals them in memory
	Log    *slog.Logger
	Now    func() time.Time
	// MintTimeout bounds one mint in the background.
	MintTimeout time.Duration
	// Observe is called for each token that is asked for with the lifetime TTL: taken
	// reports whether one was ready. It may be nil.
	Observe func(taken bool)

	mu     sync.Mutex
	ready  []readyToken // oldest first
	taken  chan struct{}
	closed bool
}

// readyToken is a token that belongs to nobody yet.
type readyToken struct {
	sealed    []byte
	requestID string
	expiresAt time.Time
	staleAt   time.Time // from then on it is not handed out
}

// Mint returns a token that is ready if ttl is that of the pool, and otherwise, or if none
// is ready, a new one of Minter. ExpiresIn of a token that was ready is what is left of its
// life, at least three quarters.
func (p *Pool) Mint(ctx context.Context, ttl time.Duration) (Minted, error) {
	if ttl != p.TTL {
		return p.Minter.Mint(ctx, ttl)
	}
	m, ok := p.take(ctx)
	if p.Observe != nil {
		p.Observe(ok)
	}
	if ok {
		return m, nil
	}
	return p.Minter.Mint(ctx, ttl)
}

// Ready returns how many tokens are ready.
func (p *Pool) Ready() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropStale()
	return len(p.ready)
}

// take removes the oldest token that is ready.
func (p *Pool) take(ctx context.Context) (Minted, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropStale()
	if len(p.ready) == 0 {
		return Minted{}, false
	}
	t := p.ready[0]
	p.ready[0] = readyToken{}
	p.ready = p.ready[1:]
	select {
	case p.wake() <- struct{}{}:
	default: // Run is awake already
	}
	value, err := p.Box.Open(poolData, t.sealed)
	if err != nil {
		p.Log.WarnContext(ctx, "cannot open a token of the pool", "error", err)
		return Minted{}, false
	}
	return Minted{Value: secret.Text(value), ExpiresIn: t.expiresAt.Sub(p.Now()), RequestID: t.requestID}, true
}

// wake returns the channel that tells Run of a token that was taken. p.mu is held.
func (p *Pool) wake() chan struct{} {
	if p.taken == nil {
		p.taken = make(chan struct{}, 1)
	}
	return p.taken
}

// dropStale removes tokens that are too old to be handed out. p.mu is held.
func (p *Pool) dropStale() {
	now := p.Now()
	for len(p.ready) > 0 && !now.Before(p.ready[0].staleAt) {
		p.ready[0] = readyToken{}
		p.ready = p.ready[1:]
	}
}

// Run fills the pool, one token at a time, and replaces tokens that were taken or became
// stale, until ctx ends; then it empties the pool. While mints fail it pauses: as long as
// the vendor asks for, or twice as long each time up to a minute. It may be called once.
func (p *Pool) Run(ctx context.Context) {
	defer p.empty()
	p.mu.Lock()
	taken := p.wake()
	p.mu.Unlock()
	failed := 0
	for ctx.Err() == nil {
		if wait := p.untilStale(); wait > 0 {
			select {
			case <-ctx.Done():
			case <-taken:
			case <-time.After(wait):
			}
			continue
		}
		pause := poolPause
		if err := p.add(ctx); err != nil && ctx.Err() == nil {
			failed++
			pause = pauseAfter(failed, err)
			p.Log.WarnContext(ctx, "cannot mint a token for the pool", "error", err, "next_in", pause)
		} else {
			failed = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// untilStale returns how long the pool stays full if no token is taken; 0 if it is not
// full.
func (p *Pool) untilStale() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropStale()
	if len(p.ready) < p.Size {
		return 0
	}
	return max(p.ready[0].staleAt.Sub(p.Now()), time.Millisecond)
}

// add mints one token and makes it ready.
func (p *Pool) add(ctx context.Context) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: %v", errPanic, reason)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, p.MintTimeout)
	defer cancel()
	before := p.Now() // before the call, so that expiresAt is never later than the vendor's
	m, err := p.Minter.Mint(ctx, p.TTL)
	if err != nil {
		return err
	}
	t := readyToken{
		sealed: p.Box.Seal(poolData, []byte(m.Value.Reveal())), requestID: m.RequestID,
		expiresAt: before.Add(m.ExpiresIn), staleAt: before.Add(m.ExpiresIn / poolFresh),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.ready = append(p.ready, t)
	}
	return nil
}

// pauseAfter returns how long Run waits after the failed mints in a row, the last of which
// returned err.
func pauseAfter(failed int, err error) time.Duration {
	pause := min(poolPause<<min(failed, 10), poolMaxPause)
	var f *fault.Fault
	if errors.As(err, &f) {
		pause = max(pause, f.RetryAfter)
	}
	return pause
}

// empty drops all tokens and takes no more.
func (p *Pool) empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready, p.closed = nil, true
}
