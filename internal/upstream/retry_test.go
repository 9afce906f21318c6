package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/cache"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

// The tests of this file run in synctest bubbles with the default timeouts.

func TestRetryAfterOfTheVendorIsHonored(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func() string{
		"seconds": func() string { return "7" },
		"a date":  func() string { return time.Now().Add(7 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		for _, status := range []int{500, 503} {
			synctest.Test(t, func(t *testing.T) {
				c, _, stop := serveInMemory(upstream.Options{},
					func(w http.ResponseWriter, r *http.Request) { answer(status, "", "Retry-After", header())(w, r) },
					answer(200, goodToken))
				defer stop()
				began := time.Now()
				_, err := c.Mint(t.Context(), time.Hour)
				if took := time.Since(began); err != nil || took < 7*time.Second || took > 8*time.Second {
					t.Errorf("%s with %d: %v after %v", name, status, err, took)
				}
			})
		}
	}
}

func TestRetryAfterBeyondTheDeadlineIsReturnedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := serveInMemory(upstream.Options{}, answer(503, "", "Retry-After", "26"))
		defer stop()
		began := time.Now()
		_, err := c.Mint(t.Context(), time.Hour)
		f := wantFault(t, err, upstream.ErrUnavailable)
		if f.RetryAfter != 26*time.Second || time.Since(began) > time.Second || v.calls() != 1 {
			t.Errorf("retry after %v, returned after %v and %d calls", f.RetryAfter, time.Since(began), v.calls())
		}
	})
}

func TestRateLimitOfTheVendorIsReturnedAtOnce(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "": time.Minute, "soon": time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c, v, stop := serveInMemory(upstream.Options{}, answer(429, "", "Retry-After", header))
			defer stop()
			began := time.Now()
			_, err := c.Mint(t.Context(), time.Hour)
			f := wantFault(t, err, upstream.ErrRateLimited)
			if f.RetryAfter != want || time.Since(began) > time.Second || v.calls() != 1 {
				t.Errorf("%q: retry after %v, returned after %v and %d calls, want %v", header, f.RetryAfter, time.Since(began), v.calls(), want)
			}
		})
	}
}

func TestCallersEarlierDeadlineIsRespected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := serveInMemory(upstream.Options{}, answer(503, "", "Retry-After", "5"))
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_, err := c.Mint(ctx, time.Hour)
		if f := wantFault(t, err, upstream.ErrUnavailable); f.RetryAfter != 5*time.Second || time.Since(began) > time.Second {
			t.Errorf("retry after %v, returned after %v", f.RetryAfter, time.Since(began))
		}
	})
}

func TestPausesGrowAndHaveJitter(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			c, _, stop := serveInMemory(upstream.Options{}, func(w http.ResponseWriter, r *http.Request) {
				at = append(at, time.Now())
				answer(502, "")(w, r)
			})
			defer stop()
			_, err := c.Mint(t.Context(), time.Hour)
			wantFault(t, err, upstream.ErrUnavailable)
			first, second := at[1].Sub(at[0]), at[2].Sub(at[1])
			if first < 125*time.Millisecond || first > 376*time.Millisecond ||
				second < 250*time.Millisecond || second > 751*time.Millisecond {
				t.Errorf("paused %v and %v", first, second)
			}
			seen[first] = true
		})
	}
	if len(seen) < 2 {
		t.Error("every call paused for the same time, want jitter")
	}
}

// drip sends goodToken one byte at a time, with pause after each.
func drip(pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := range goodToken {
			if _, err := w.Write([]byte(goodToken[i : i+1])); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestDrippingAnswerTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcomes := outcomeLog{}
		c, v, stop := serveInMemory(upstream.Options{Observe: outcomes.add}, drip(time.Second))
		defer stop()
		began := time.Now()
		_, err := c.Mint(t.Context(), time.Hour)
		wantFault(t, err, upstream.ErrUnavailable)
		if took := time.Since(began); took != 25*time.Second || v.calls() != 3 {
			t.Errorf("gave up after %v and %d calls", took, v.calls())
		}
		if got := outcomes.all(); got != "timeout timeout timeout" {
			t.Errorf("observed outcomes %s", got)
		}
	})
}

func TestSlowAnswerWithinTheTimeoutIsAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := serveInMemory(upstream.Options{}, drip(100*time.Millisecond))
		defer stop()
		if _, err := c.Mint(t.Context(), time.Hour); err != nil || v.calls() != 1 {
			t.Errorf("%v after %d calls", err, v.calls())
		}
	})
}

func TestBreakerStopsCallsToAFailingVendorAndTestsItLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcomes, log := outcomeLog{}, &strings.Builder{}
		var works atomic.Bool
		c, v, stop := serveInMemory(upstream.Options{
			Attempts: 1, Breaker: upstream.Breaker{Failures: 3, OpenFor: 30 * time.Second},
			Observe: outcomes.add, Log: telemetry.NewLogger(log, telemetry.LogOptions{}),
		}, func(w http.ResponseWriter, r *http.Request) {
			if works.Load() {
				answer(200, goodToken)(w, r)
				return
			}
			answer(500, "")(w, r)
		})
		defer stop()
		mint := func() error { _, err := c.Mint(t.Context(), time.Hour); return err }
		for range 3 {
			wantFault(t, mint(), upstream.ErrUnavailable)
		}
		const gap = 10 * time.Millisecond
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			pause *= time.Second
			<-time.After(pause - gap)
			calls := v.calls()
			if f := wantFault(t, mint(), upstream.ErrUnavailable); f.RetryAfter != time.Second || v.calls() != calls {
				t.Errorf("shortly before %v are over: retry after %v, %d calls, want none", pause, f.RetryAfter, v.calls()-calls)
			}
			<-time.After(2 * gap)
			if s := c.State().Breaker; s != upstream.HalfOpen {
				t.Errorf("after %v: got %s, want half_open", pause, s)
			}
			wantFault(t, mint(), upstream.ErrUnavailable) // the test, which fails
			if v.calls() != calls+1 {
				t.Errorf("after %v: got %d calls, want 1", pause, v.calls()-calls)
			}
		}
		works.Store(true)
		if f := wantFault(t, mint(), upstream.ErrUnavailable); f.RetryAfter != 30*time.Second {
			t.Errorf("open: retry after %v, want 30s", f.RetryAfter)
		}
		<-time.After(30*time.Second + gap)
		for range 2 {
			if err := mint(); err != nil {
				t.Errorf("closed: %v", err)
			}
		}
		works.Store(false)
		for range 3 {
			wantFault(t, mint(), upstream.ErrUnavailable)
		}
		if f := wantFault(t, mint(), upstream.ErrUnavailable); f.RetryAfter != time.Second {
			t.Errorf("open for the first time since: retry after %v, want 1s", f.RetryAfter)
		}
		if got := outcomes.all(); !strings.HasPrefix(got, "failed failed failed breaker_open failed breaker_open failed") {
			t.Errorf("observed outcomes %s", got)
		}
		if !strings.Contains(log.String(), `"to":"open"`) || !strings.Contains(log.String(), `"to":"closed"`) {
			t.Errorf("logged %s", log)
		}
	})
}

func TestCallersWhoWaitForATurnHearOfTheOpenBreakerAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns, err := cache.NewMemory(cache.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys := apikey.New(apikey.Options{Keys: []apikey.Settings{{Name: "a", Value: apiKey, Rate: 60}}, Pacer: turns}) // 10 at once, then one each 1.2 s
		c, v, stop := serveInMemory(upstream.Options{Attempts: 1, Keys: keys}, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Second)
			answer(503, "")(w, r)
		})
		defer stop()
		began := time.Now()
		var all sync.WaitGroup
		for range 25 {
			all.Go(func() {
				_, err := c.Mint(t.Context(), time.Hour)
				wantFault(t, err, upstream.ErrUnavailable)
				if took := time.Since(began); took > 1100*time.Millisecond {
					t.Errorf("got %v after %v, want it at once when the breaker opens", err, took)
				}
			})
		}
		all.Wait()
		if v.calls() != 10 {
			t.Errorf("got %d calls, want 10", v.calls())
		}
	})
}

func TestNonsenseWithStatus200OpensTheBreaker(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a page": "<html>", "another object": `{"hello":"world"}`, "a token without at_": `{"access_token":"x","expires_in":60}`,
		"a failure": `{"status":"failed","msg":"try later"}`, "too much": goodToken + strings.Repeat(" ", 70_000),
	} {
		synctest.Test(t, func(t *testing.T) {
			outcomes := outcomeLog{}
			c, v, stop := serveInMemory(upstream.Options{Observe: outcomes.add}, answer(200, body))
			defer stop()
			for range 40 {
				if _, err := c.Mint(t.Context(), time.Hour); err == nil {
					t.Errorf("%s: got a token", name)
				}
				<-time.After(500 * time.Millisecond)
			}
			if calls := v.calls(); calls < 5 || calls > 9 || c.State().Breaker == upstream.Closed {
				t.Errorf("%s: got %d calls in 20 s and the breaker %s, want 5 and one in each half-open state", name, calls, c.State().Breaker)
			}
			if got := outcomes.all(); !strings.HasPrefix(got, "bad_answer bad_answer bad_answer bad_answer bad_answer breaker_open") {
				t.Errorf("%s: observed outcomes %s", name, got)
			}
		})
	}
}

func TestRefusalsAndCanceledCallsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := serveInMemory(upstream.Options{Attempts: 1, Breaker: upstream.Breaker{Failures: 2}},
			answer(401, ""), answer(401, ""), answer(429, ""), answer(404, ""), hang, hang, hang, answer(200, goodToken))
		defer stop()
		for range 4 {
			if _, err := c.Mint(t.Context(), time.Hour); err == nil {
				t.Error("got a token from a refusal")
			}
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.Mint(ctx, time.Hour)
			cancel()
			wantFault(t, err, upstream.ErrUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := c.Mint(t.Context(), time.Hour); err != nil || v.calls() != 8 {
			t.Errorf("%v after %d calls", err, v.calls())
		}
	})
}

func TestCancelDuringAPauseReturnsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := serveInMemory(upstream.Options{}, answer(503, "", "Retry-After", "20"))
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := c.Mint(ctx, time.Hour)
		wantFault(t, err, upstream.ErrUnavailable)
		if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second || v.calls() != 1 {
			t.Errorf("%v after %v and %d calls", err, time.Since(began), v.calls())
		}
	})
}

func TestRetriesAreLoggedWithTheVendorsRequestID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &strings.Builder{}
		c, _, stop := serveInMemory(upstream.Options{Log: telemetry.NewLogger(log, telemetry.LogOptions{})},
			answer(503, apiKey, "X-Request-ID", "req_vendor1"), answer(200, goodToken))
		defer stop()
		ctx := telemetry.WithRequestID(t.Context(), "req_ours1")
		if _, err := c.Mint(ctx, time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"upstream_request_id":"req_vendor1"`, `"request_id":"req_ours1"`, `HTTP 503`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s is not in %s", want, log)
			}
		}
		if strings.Contains(log.String(), apiKey) || strings.Contains(log.String(), "at_inv") {
			t.Errorf("a secret was logged: %s", log)
		}
	})
}

// outcomeLog records observed outcomes.
type outcomeLog struct {
	mu       sync.Mutex
	outcomes []string
}

func (r *outcomeLog) add(outcome string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, outcome)
}

func (r *outcomeLog) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(slices.Clone(r.outcomes), " ")
}
