package usage_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/usage"
)

// vendor is asked for credits, and answers with what do returns.
type vendor struct {
	mu    sync.Mutex
	asked int
	do    func(ctx context.Context, n int) (usage.Credits, error)
}

func (v *vendor) Credits(ctx context.Context) (usage.Credits, error) {
	v.mu.Lock()
	v.asked++
	n := v.asked
	v.mu.Unlock()
	return v.do(ctx, n)
}

func (v *vendor) calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

func TestCreditsAreAskedForOnceAMinute(t *testing.T) {
	t.Parallel()
	now := newClock()
	v := &vendor{do: func(context.Context, int) (usage.Credits, error) { return usage.Credits{Used: "1"}, nil }}
	p := &usage.Purse{Vendor: v, Now: now.now}
	for _, step := range []struct {
		wait  time.Duration
		asked int
	}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}, {-time.Hour, 3}, {time.Second, 3}} {
		now.move(step.wait)
		got, err := p.Credits(t.Context())
		if err != nil || got.Used != "1" || v.calls() != step.asked {
			t.Errorf("after another %v: %+v, %v, asked %d times, want %d", step.wait, got, err, v.calls(), step.asked)
		}
	}
}

func TestAVendorInTroubleIsAskedForCreditsEveryTenSeconds(t *testing.T) {
	t.Parallel()
	now, trouble := newClock(), errors.New("trouble")
	v := &vendor{do: func(_ context.Context, n int) (usage.Credits, error) {
		if n < 3 {
			return usage.Credits{}, trouble
		}
		return usage.Credits{Used: "1"}, nil
	}}
	p := &usage.Purse{Vendor: v, Now: now.now}
	for _, step := range []struct {
		wait  time.Duration
		asked int
		err   error
	}{{0, 1, trouble}, {9 * time.Second, 1, trouble}, {time.Second, 2, trouble}, {10 * time.Second, 3, nil}, {30 * time.Second, 3, nil}} {
		now.move(step.wait)
		if _, err := p.Credits(t.Context()); !errors.Is(err, step.err) || v.calls() != step.asked {
			t.Errorf("after another %v: %v, asked %d times, want %d", step.wait, err, v.calls(), step.asked)
		}
	}
}

func TestManyWhoAskForCreditsCostOneCallAndOneWhoLeavesHarmsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{do: func(ctx context.Context, _ int) (usage.Credits, error) {
			select {
			case <-time.After(5 * time.Second):
				return usage.Credits{Used: "1"}, nil
			case <-ctx.Done():
				return usage.Credits{}, ctx.Err()
			}
		}}
		p := &usage.Purse{Vendor: v, Now: time.Now}
		impatient, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		var callers sync.WaitGroup
		callers.Go(func() { // comes first, and begins the call
			if _, err := p.Credits(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one who left got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			callers.Go(func() {
				if got, err := p.Credits(t.Context()); err != nil || got.Used != "1" {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		callers.Wait()
		if v.calls() != 1 {
			t.Errorf("asked %d times", v.calls())
		}
	})
}

func TestAVendorThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &usage.Purse{Now: time.Now, Vendor: &vendor{do: func(ctx context.Context, _ int) (usage.Credits, error) {
			<-ctx.Done()
			return usage.Credits{}, ctx.Err()
		}}}
		began := time.Now()
		if _, err := p.Credits(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestAPanicWhileAskingForCreditsIsAnError(t *testing.T) {
	t.Parallel()
	p := &usage.Purse{Now: newClock().now, Vendor: &vendor{do: func(context.Context, int) (usage.Credits, error) { panic("invented") }}}
	if _, err := p.Credits(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: invented") {
		t.Errorf("got %v", err)
	}
}
