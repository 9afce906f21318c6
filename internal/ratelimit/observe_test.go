package ratelimit_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/ratelimit"
)

func TestLimitThatObservesCountsAndLogsButRefusesNothing(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, limits(ratelimit.Limits{User: "2-M", Address: "9-M", All: "1000-M", Mode: ratelimit.Observe}))
	var log bytes.Buffer
	s.limiter.Log = slog.New(slog.NewTextHandler(&log, nil))
	for range 6 {
		want(t, s.get(t, "demo:asha", here), http.StatusOK, map[string]string{"RateLimit": "", "RateLimit-Policy": ""})
	}
	want(t, s.get(t, "demo:ravi", here), http.StatusOK, nil)
	if got := strings.Join(s.refused, ", "); got != strings.TrimSuffix(strings.Repeat("token-user (observed), ", 4), ", ") {
		t.Errorf("OnReached got %s, want the 4 requests of asha past her limit", got)
	}
	if s.counter.trips != 7 {
		t.Errorf("got %d round trips, want each of 7 requests counted", s.counter.trips)
	}
	lines := func() int { return strings.Count(log.String(), "limit=token-user") }
	if lines() != 1 || strings.Contains(log.String(), "asha") {
		t.Errorf("got %s, want one line in the window, without the user", log.String())
	}
	s.at = s.at.Add(time.Minute)
	for range 4 {
		s.get(t, "demo:asha", here)
	}
	if lines() != 2 {
		t.Errorf("got %s, want one line for each window", log.String())
	}
}

func TestSignInThatObservesRefusesNoAttempt(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ratelimit.Settings{SignIn: ratelimit.Limits{Address: "1-M", Mode: ratelimit.Observe}})
	reserve := s.limiter.Reserve(ratelimit.SignIn)
	c := s.NewContext(newRequest(t), nil)
	for range 3 {
		if err := reserve(c); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(s.refused, ", "); got != "sign_in-address (observed), sign_in-address (observed)" {
		t.Errorf("OnReached got %s", got)
	}
}
