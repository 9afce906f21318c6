package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/ratelimit"
)

func TestFailedAuthenticationsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Token: ratelimit.Limits{User: "99-M"}, Failures: "3-M"})
	for range 3 {
		want(t, s.get(t, "forger", here), http.StatusUnauthorized, nil)
	}
	trips := s.counter.trips
	w := s.get(t, "forger", here)
	want(t, w, http.StatusTooManyRequests, map[string]string{"Retry-After": "42", "WWW-Authenticate": ""})
	if !strings.Contains(w.Body.String(), "could not be authenticated. Try again in 42 s.") {
		t.Errorf("got %s", w.Body)
	}
	if s.counter.trips != trips {
		t.Error("a refusal cost a round trip")
	}
	want(t, s.get(t, "forger", there), http.StatusUnauthorized, nil)
	s.at = s.at.Add(42 * time.Second)
	want(t, s.get(t, "forger", here), http.StatusUnauthorized, nil)
}

func TestVerifiedCallersPassWhateverOthersAtTheirAddressSend(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "3-M"})
	for range 300 {
		s.get(t, "forger", here)
	}
	want(t, s.get(t, "forger", here), http.StatusTooManyRequests, nil)
	want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
	want(t, s.get(t, "", here), http.StatusUnauthorized, nil)
	if len(s.refused) != 298 || s.refused[0] != "failures" {
		t.Errorf("got %d refusals, want 298", len(s.refused))
	}
}

func TestGuessesSentAtOnceAreHeldBackPastTheLimit(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "10-M"})
	s.limiter.OnReached = nil
	codes := make(chan int, 150)
	for range cap(codes) {
		go func() { codes <- s.get(t, "forger", here).Code }()
	}
	counts := map[int]int{}
	for range cap(codes) {
		counts[<-codes]++
	}
	if counts[http.StatusUnauthorized] != 10 || counts[http.StatusTooManyRequests] != 140 {
		t.Errorf("got %v, want 10 answers 401 and 140 answers 429", counts)
	}
}

func TestGuessesFromNetworksOfOneSiteShareALimit(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Token: ratelimit.Limits{Address: "5-M"}, Failures: "5-M"})
	for n := range 5 {
		want(t, s.get(t, "forger", fmt.Sprintf("[2001:db8:1:%x::1]:1", n)), http.StatusUnauthorized, nil)
	}
	want(t, s.get(t, "forger", "[2001:db8:1:ffff::1]:1"), http.StatusTooManyRequests, nil)
	want(t, s.get(t, "forger", "[2001:db8:2::1]:1"), http.StatusUnauthorized, nil)
	for n := range 6 { // callers who are verified count by their /64, as before
		want(t, s.get(t, "demo:asha", fmt.Sprintf("[2001:db8:1:%x::1]:1", n)), http.StatusOK, nil)
	}
}

func TestReservationIsRefusedPastTheLimit(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{SignIn: ratelimit.Limits{Address: "2-M", All: "3-M"}})
	reserve := s.limiter.Reserve(ratelimit.SignIn)
	s.POST("/sign-in", func(c echo.Context) error {
		if err := reserve(c); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	try := func(address string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sign-in", nil)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for i, status := range []int{204, 204, 429, 429} {
		if got := try(here); got.Code != status {
			t.Errorf("attempt %d: got %d, want %d", i, got.Code, status)
		}
	}
	want(t, try(there), http.StatusNoContent, nil)
	want(t, try(there), http.StatusTooManyRequests, map[string]string{"Retry-After": "42"}) // of all callers
	s.at, s.counter.err = s.at.Add(time.Minute), errors.New("broken")
	want(t, try(here), http.StatusServiceUnavailable, nil)
}

func TestOnlyFailedAuthenticationsCount(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "1-M"})
	for range 5 {
		want(t, s.get(t, "stranger", here), http.StatusForbidden, nil)
		want(t, s.get(t, "", here), http.StatusUnauthorized, nil) // such as a page before sign-in
		want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
	}
	if s.counter.trips != 5 { // of the requests that passed
		t.Errorf("got %d round trips, want 5, none of them for failures", s.counter.trips)
	}
}

func TestFailedAuthenticationCountsEvenIfCallerHangsUp(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "1-M"})
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/token", nil)
	r.RemoteAddr = here
	r.Header.Set("X-Who", "forger")
	s.ServeHTTP(httptest.NewRecorder(), r)
	want(t, s.get(t, "forger", here), http.StatusTooManyRequests, nil)
}

func TestUncountedFailureIsStillUnauthorized(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "1-M"})
	s.counter.err = errors.New("broken")
	for range 3 {
		want(t, s.get(t, "forger", here), http.StatusUnauthorized, nil)
	}
}
