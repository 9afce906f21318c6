package upstream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/upstream"
)

// creditsSource answers lookups with what answer returns, given the number of the lookup
// from 1, and counts them.
type creditsSource struct {
	mu     sync.Mutex
	n      int
	answer func(ctx context.Context, n int) (admin.Credits, error)
}

func (s *creditsSource) Credits(ctx context.Context) (admin.Credits, error) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	return s.answer(ctx, n)
}

func (s *creditsSource) lookups() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func TestCreditsAreLookedUpOnceAMinute(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)
	s := &creditsSource{answer: func(context.Context, int) (admin.Credits, error) { return admin.Credits{Used: "1"}, nil }}
	c := &upstream.CreditsCache{Source: s, Now: func() time.Time { return now }}
	for _, step := range []struct {
		wait    time.Duration
		lookups int
	}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}, {-time.Hour, 3}, {time.Second, 3}} {
		now = now.Add(step.wait)
		got, err := c.Credits(t.Context())
		if err != nil || got.Used != "1" || s.lookups() != step.lookups {
			t.Errorf("after another %v: got %+v, %v and %d lookups, want %d", step.wait, got, err, s.lookups(), step.lookups)
		}
	}
}

func TestFailedCreditsLookupIsRepeatedAfterTenSeconds(t *testing.T) {
	t.Parallel()
	now, down := time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC), errors.New("down")
	s := &creditsSource{answer: func(_ context.Context, n int) (admin.Credits, error) {
		if n < 3 {
			return admin.Credits{}, down
		}
		return admin.Credits{Used: "1"}, nil
	}}
	c := &upstream.CreditsCache{Source: s, Now: func() time.Time { return now }}
	for _, step := range []struct {
		wait    time.Duration
		lookups int
		err     error
	}{{0, 1, down}, {9 * time.Second, 1, down}, {time.Second, 2, down}, {10 * time.Second, 3, nil}, {30 * time.Second, 3, nil}} {
		now = now.Add(step.wait)
		if _, err := c.Credits(t.Context()); !errors.Is(err, step.err) || s.lookups() != step.lookups {
			t.Errorf("after another %v: got %v and %d lookups, want %v and %d", step.wait, err, s.lookups(), step.err, step.lookups)
		}
	}
}

func TestConcurrentCallersShareOneCreditsLookupThatSurvivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &creditsSource{answer: func(ctx context.Context, _ int) (admin.Credits, error) {
			select {
			case <-time.After(5 * time.Second):
				return admin.Credits{Used: "1"}, nil
			case <-ctx.Done():
				return admin.Credits{}, ctx.Err()
			}
		}}
		c := &upstream.CreditsCache{Source: s, Now: time.Now}
		impatient, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		var callers sync.WaitGroup
		callers.Go(func() { // the first caller, which starts the lookup
			if _, err := c.Credits(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the caller that left: got %v, want a deadline error", err)
			}
		})
		synctest.Wait()
		for range 20 {
			callers.Go(func() {
				if got, err := c.Credits(t.Context()); err != nil || got.Used != "1" {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		callers.Wait()
		if s.lookups() != 1 {
			t.Errorf("got %d lookups, want 1", s.lookups())
		}
	})
}

func TestHangingCreditsLookupEndsAfterThirtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &upstream.CreditsCache{Now: time.Now, Source: &creditsSource{answer: func(ctx context.Context, _ int) (admin.Credits, error) {
			<-ctx.Done()
			return admin.Credits{}, ctx.Err()
		}}}
		start := time.Now()
		if _, err := c.Credits(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v, want a deadline error after 30s", err, time.Since(start))
		}
	})
}

func TestPanicDuringCreditsLookupIsAnError(t *testing.T) {
	t.Parallel()
	c := &upstream.CreditsCache{Now: time.Now, Source: &creditsSource{answer: func(context.Context, int) (admin.Credits, error) { panic("invented") }}}
	if _, err := c.Credits(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: invented") {
		t.Errorf("got %v, want the panic", err)
	}
}
