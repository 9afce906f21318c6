package ratelimit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/ratelimit"
)

func TestFailedAuthenticationsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Token: ratelimit.Limits{User: "99-M"}, Failures: "3-M"})
	for range 3 {
		want(t, s.get(t, "forger", here), http.StatusUnauthorized, nil)
	}
	trips := s.counter.trips
	for _, who := range []string{"", "demo:asha"} {
		w := s.get(t, who, here)
		want(t, w, http.StatusTooManyRequests, map[string]string{"Retry-After": "42"})
		if !strings.Contains(w.Body.String(), "could not be authenticated. Try again in 42 s.") {
			t.Errorf("got %s", w.Body)
		}
	}
	if s.counter.trips != trips {
		t.Error("a refusal cost a round trip")
	}
	want(t, s.get(t, "demo:asha", there), http.StatusOK, nil)
	s.at = s.at.Add(42 * time.Second)
	want(t, s.get(t, "demo:asha", here), http.StatusOK, nil)
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
	want(t, s.get(t, "", here), http.StatusTooManyRequests, nil)
}

func TestUncountedFailureIsStillUnauthorized(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{Failures: "1-M"})
	s.counter.err = errors.New("broken")
	for range 3 {
		want(t, s.get(t, "forger", here), http.StatusUnauthorized, nil)
	}
}
