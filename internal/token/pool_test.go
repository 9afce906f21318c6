package token_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/secret"
	"casbroker/internal/token"
)

// vendorLatency is how long a mint takes in the tests of the pool.
const vendorLatency = 300 * time.Millisecond

var errVendorDown = fault.New(fault.Unavailable, "upstream_unavailable", "Down.").After(4 * time.Minute)

// slowVendor mints tokens that are all different, each in vendorLatency.
type slowVendor struct {
	mu     sync.Mutex
	begun  []time.Time
	down   bool
	panics bool
}

func (v *slowVendor) Mint(ctx context.Context, ttl time.Duration) (token.Minted, error) {
	v.mu.Lock()
	v.begun = append(v.begun, time.Now())
	n, down, panics := len(v.begun), v.down, v.panics
	v.mu.Unlock()
	if panics {
		panic("a bug")
	}
	select {
	case <-ctx.Done():
		return token.Minted{}, ctx.Err()
	case <-time.After(vendorLatency):
	}
	if down {
		return token.Minted{}, errVendorDown
	}
	return token.Minted{Value: secret.Text(fmt.Sprintf("at_vendor%d", n)), ExpiresIn: ttl, RequestID: fmt.Sprintf("req_%d", n)}, nil
}

func (v *slowVendor) set(down, panics bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.down, v.panics = down, panics
}

func (v *slowVendor) calls() []time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]time.Time(nil), v.begun...)
}

// poolWorld is a Service whose Minter is a Pool, in a bubble of synctest.
type poolWorld struct {
	*world
	vendor *slowVendor
	pool   *token.Pool
	stop   context.CancelFunc

	mu            sync.Mutex
	taken, missed int
}

// newPoolWorld returns a world whose pool runs and is not filled yet.
func newPoolWorld(t *testing.T, size int) *poolWorld {
	t.Helper()
	w := &poolWorld{world: newWorld(t), vendor: &slowVendor{}}
	w.pool = &token.Pool{
		Minter: w.vendor, Size: size, TTL: time.Hour, Box: w.service.Box, MintTimeout: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Observe: w.count,
	}
	w.service.Minter, w.service.Now = w.pool, time.Now
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.pool.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return w
}

func (w *poolWorld) count(taken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if taken {
		w.taken++
	} else {
		w.missed++
	}
}

// elapse moves the clock of the bubble.
func elapse(d time.Duration) { <-time.After(d) }

// user returns the nth user.
func user(n int) auth.Principal {
	return auth.Principal{Subject: fmt.Sprintf("app:user%d", n), Roles: auth.RoleUser}
}

// askFor issues a token to a new user and returns how long it took.
func (w *poolWorld) askFor(t *testing.T, who auth.Principal, ttl time.Duration) (token.Issued, time.Duration) {
	t.Helper()
	start := time.Now()
	issued, err := w.service.Issue(t.Context(), who, token.Request{TTL: ttl}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return issued, time.Since(start)
}

func TestNewUserDoesNotWaitForTheVendorWhileThePoolHasTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 3)
		elapse(time.Minute)
		if got := w.pool.Ready(); got != 3 {
			t.Fatalf("got %d tokens ready, want 3", got)
		}
		for n := range 3 {
			if _, took := w.askFor(t, user(n), time.Hour); took != 0 {
				t.Errorf("user %d waited %s, want 0s", n, took)
			}
		}
		if _, took := w.askFor(t, user(4), time.Hour); took != vendorLatency {
			t.Errorf("with an empty pool: waited %s, want %s", took, vendorLatency)
		}
		elapse(time.Minute)
		if got := w.pool.Ready(); got != 3 {
			t.Errorf("a minute later: got %d tokens ready, want 3 again", got)
		}
		if w.taken != 3 || w.missed != 1 {
			t.Errorf("got %d taken and %d missed, want 3 and 1", w.taken, w.missed)
		}
	})
}

func TestPooledTokenIsHandedOutOnceWithItsTrueRemainingLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 5)
		elapse(10 * time.Minute)
		minted := w.vendor.calls()
		var all sync.WaitGroup
		values := make(chan secret.Text, 20)
		for n := range cap(values) {
			all.Go(func() {
				issued, err := w.service.Issue(context.Background(), user(n), token.Request{TTL: time.Hour}, nil)
				if err != nil {
					t.Error(err)
				}
				values <- issued.Value
			})
		}
		all.Wait()
		close(values)
		seen := map[secret.Text]bool{}
		for v := range values {
			if seen[v] {
				t.Error("two users got the same token")
			}
			seen[v] = true
		}
		// The first five grants are of the five that were ready.
		for _, g := range w.grants.grants {
			for i, at := range minted {
				if g.VendorRequestID == fmt.Sprintf("req_%d", i+1) && !g.ExpiresAt.Equal(at.Add(time.Hour)) {
					t.Errorf("%s: expires at %s, want %s, an hour after its mint", g.VendorRequestID, g.ExpiresAt, at.Add(time.Hour))
				}
			}
		}
	})
}

func TestRequestForAnotherLifetimeIsMinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 2)
		elapse(time.Minute)
		issued, took := w.askFor(t, asha, 5*time.Minute)
		if life := issued.ExpiresAt.Sub(issued.IssuedAt); took != vendorLatency || life != 5*time.Minute {
			t.Errorf("waited %s for a token of %s, want %s and 5m", took, life, vendorLatency)
		}
		if got := w.pool.Ready(); got != 2 || w.taken+w.missed != 0 {
			t.Errorf("got %d tokens ready, %d taken, %d missed, want 2, 0, 0", got, w.taken, w.missed)
		}
	})
}

func TestPoolReplacesTokensBeforeAQuarterOfTheirLifeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 4)
		elapse(24*time.Hour - time.Minute)
		issued, took := w.askFor(t, asha, time.Hour)
		if left := issued.ExpiresAt.Sub(issued.IssuedAt); took != 0 || left < 45*time.Minute {
			t.Errorf("after a day: waited %s for a token of %s, want 0s and 45m or more", took, left)
		}
		// What the settings say about the cost: four mints an hour for each token of the pool.
		if n := len(w.vendor.calls()); n < 4*4*23 || n > 4*4*24+4 {
			t.Errorf("got %d mints in a day, want about %d", n, 4*4*24)
		}
	})
}

func TestPoolIsFilledAtAModestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 100)
		elapse(time.Minute)
		if n := len(w.vendor.calls()); n < 15 || n > 20 {
			t.Errorf("got %d mints in the first minute, want 15 to 20", n)
		}
	})
}

func TestPoolServesUntilItIsEmptyWhileTheVendorIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 3)
		elapse(time.Minute)
		w.vendor.set(true, false)
		before := len(w.vendor.calls())
		for n := range 3 {
			w.askFor(t, user(n), time.Hour)
		}
		if _, err := w.service.Issue(t.Context(), user(4), token.Request{TTL: time.Hour}, nil); err == nil {
			t.Error("with an empty pool and no vendor: got a token, want an error")
		}
		elapse(10 * time.Minute)
		// One mint of the user; the pool's own are 4 minutes apart, as the vendor asks.
		if n := len(w.vendor.calls()) - before; n > 4 {
			t.Errorf("got %d mints in 10 minutes, want 4 at most", n)
		}
		w.vendor.set(false, false)
		elapse(5 * time.Minute)
		if got := w.pool.Ready(); got != 3 {
			t.Errorf("after the vendor came back: got %d tokens ready, want 3", got)
		}
	})
}

func TestPoolGoesOnAfterAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 1)
		w.vendor.set(false, true)
		elapse(time.Minute)
		w.vendor.set(false, false)
		elapse(2 * time.Minute)
		if got := w.pool.Ready(); got != 1 {
			t.Errorf("got %d tokens ready, want 1", got)
		}
	})
}

func TestPooledTokenOfBeforeARevocationIsValidForANewGrant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 2)
		elapse(time.Minute)
		w.access.version, w.access.revoked = 9, 9
		if _, took := w.askFor(t, asha, time.Hour); took != 0 || w.grants.grants[0].AccessVersion != 9 {
			t.Errorf("waited %s for a grant of version %d, want 0s and 9", took, w.grants.grants[0].AccessVersion)
		}
	})
}

func TestPoolIsEmptyAfterShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newPoolWorld(t, 2)
		elapse(time.Minute)
		w.stop()
		synctest.Wait()
		if got := w.pool.Ready(); got != 0 {
			t.Errorf("got %d tokens ready, want none", got)
		}
	})
}
