package apikey_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/cache"
)

// pacedPool returns a pool with one key of this rate. It is for a bubble of synctest.
func pacedPool(t *testing.T, rate int, queue time.Duration) *apikey.Pool {
	t.Helper()
	turns, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := keys("a")
	list[0].Rate = rate
	return apikey.New(apikey.Options{Keys: list, Pacer: turns, Queue: queue})
}

// requests records when requests were made.
type requests struct {
	mu sync.Mutex
	at []time.Time
}

func (r *requests) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
}

// most returns the most requests that there were in a minute.
func (r *requests) most() (most int) {
	slices.SortFunc(r.at, time.Time.Compare)
	for i, began := range r.at {
		n := 0
		for _, at := range r.at[i:] {
			if at.Sub(began) < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestNoMinuteHasMoreRequestsThanTheRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 2, 3, 4, 5, 10, 12, 60, 121} {
		synctest.Test(t, func(t *testing.T) {
			p := pacedPool(t, rate, 2*time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			var sent requests
			var all sync.WaitGroup
			for i := range 8 { // all try as fast as they may
				all.Go(func() {
					<-time.After(time.Duration(i) * 700 * time.Millisecond)
					for ctx.Err() == nil {
						if _, err := p.Take(ctx, apikey.Use{Urgent: i%2 == 0}); err == nil {
							sent.add()
						} else if ctx.Err() == nil && !errors.Is(err, apikey.ErrBusy) {
							t.Error(err)
						} else {
							<-time.After(300 * time.Millisecond)
						}
					}
				})
			}
			all.Wait()
			if most := sent.most(); most > rate {
				t.Errorf("%d per minute: a minute has %d requests", rate, most)
			}
			if least := 4 * max(rate*5/6-1, 1) * 9 / 10; len(sent.at) < least {
				t.Errorf("%d per minute: got %d requests in 4 minutes, want %d at least", rate, len(sent.at), least)
			}
		})
	}
}

func TestUrgentRequestsGoBeforeAFloodOfPolls(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{4, 10, 60, 120} {
		synctest.Test(t, func(t *testing.T) {
			p := pacedPool(t, rate, 2*time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					for ctx.Err() == nil {
						_, _ = p.Take(ctx, apikey.Use{})
						<-time.After(100 * time.Millisecond)
					}
				})
			}
			for ctx.Err() == nil { // a parse every 30 s, so not more than the rate allows
				<-time.After(30 * time.Second)
				began := time.Now()
				if _, err := p.Take(t.Context(), apikey.Use{Urgent: true}); err != nil || time.Since(began) > 2*time.Second {
					t.Errorf("%d per minute: got %v after %v", rate, err, time.Since(began))
				}
			}
			all.Wait()
		})
	}
}

func TestRequestsWaitInOrderAndOthersHearWhenToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pacedPool(t, 60, 2*time.Second) // 10 at once, then one each 1.2 s
		urgent := apikey.Use{Urgent: true}
		for range 10 {
			if _, err := p.Take(t.Context(), urgent); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if _, err := p.Take(t.Context(), urgent); err != nil || time.Since(began) != 1200*time.Millisecond {
			t.Fatalf("the first in the queue: got %v after %v, want 1.2s", err, time.Since(began))
		}
		gone, leave := context.WithCancelCause(t.Context())
		left := errors.New("left")
		time.AfterFunc(time.Millisecond, func() { leave(left) })
		if _, err := p.Take(gone, urgent); !errors.Is(err, left) {
			t.Errorf("a caller that left: got %v, want its reason", err)
		}
		began = time.Now()
		_, err := p.Take(t.Context(), urgent)
		wait := retryAfter(err)
		if !errors.Is(err, apikey.ErrBusy) || time.Since(began) != 0 || wait <= 2*time.Second || wait > 2400*time.Millisecond {
			t.Errorf("got %v after %v, want a refusal at once, and to come back in 2 s to 2.4 s", err, time.Since(began))
		}
		<-time.After(wait)
		began = time.Now()
		if _, err := p.Take(t.Context(), urgent); err != nil || time.Since(began) != 0 {
			t.Errorf("after Retry-After: got %v after %v, want a key at once", err, time.Since(began))
		}
		if _, err := p.Take(t.Context(), apikey.Use{Urgent: true, Wait: time.Minute}); err != nil {
			t.Errorf("a caller with more patience: got %v", err)
		}
	})
}

func TestCallerWhoseKeyIsSetAsideWaitsNoLongerThanTheQueueAllows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, err := cache.NewMemory(cache.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list := keys("a", "b")
		list[0].Rate, list[1].Rate, list[0].Weight = 60, 60, 100 // 10 at once, then one each 1.2 s
		p := apikey.New(apikey.Options{Keys: list, Pacer: turns, Queue: 2 * time.Second})
		var a *apikey.Key
		for n := range 20 {
			k, err := p.Take(t.Context(), apikey.Use{Urgent: true, Only: list[n%2].Name})
			if err != nil {
				t.Fatal(err)
			}
			if k.Name == "a" {
				a = k
			}
		}
		go func() { _, _ = p.Take(t.Context(), apikey.Use{Urgent: true, Only: "b"}) }()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { a.Report(status(401, "")) })
		began := time.Now()
		k, err := p.Take(t.Context(), apikey.Use{Urgent: true})                  // a's turn is in 1.2 s, b's in 2.4 s
		if !errors.Is(err, apikey.ErrBusy) || time.Since(began) != time.Second { // b's would be in 1.4 s, after the queue
			t.Errorf("got %+v, %v after %v, want a refusal after 1s", k, err, time.Since(began))
		}
	})
}

func TestCallersWhoWaitForATurnHearOfTheVendors429AtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pacedPool(t, 60, 25*time.Second) // 10 at once, then one each 1.2 s
		var last *apikey.Key
		for range 10 {
			k, err := p.Take(t.Context(), apikey.Use{Urgent: true})
			if err != nil {
				t.Fatal(err)
			}
			last = k
		}
		began := time.Now()
		var all sync.WaitGroup
		for range 15 {
			all.Go(func() {
				_, err := p.Take(t.Context(), apikey.Use{Urgent: true})
				if !errors.Is(err, apikey.ErrBusy) || retryAfter(err) != 7*time.Second || time.Since(began) != 500*time.Millisecond {
					t.Errorf("got %v after %v, want a refusal for 7 s after 500ms", err, time.Since(began))
				}
			})
		}
		<-time.After(500 * time.Millisecond)
		last.Report(status(429, "", "Retry-After", "7"))
		all.Wait()
	})
}

func TestKeysArePacedEachForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, err := cache.NewMemory(cache.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list := keys("slow", "quick")
		list[0].Rate, list[1].Rate = 6, 60
		p := apikey.New(apikey.Options{Keys: list, Pacer: turns})
		got := map[string]int{}
		for range 12 {
			k, err := p.Take(t.Context(), apikey.Use{Urgent: true})
			if err != nil {
				t.Fatal(err)
			}
			got[k.Name]++
		}
		_, err = p.Take(t.Context(), apikey.Use{Urgent: true})
		if got["slow"] != 2 || got["quick"] != 10 || !errors.Is(err, apikey.ErrBusy) || retryAfter(err) != 1200*time.Millisecond {
			t.Errorf("got %v, then %v; want 2 and 10, then busy until the quicker one has a turn", got, err)
		}
	})
}
