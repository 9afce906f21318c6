package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/fault"
	"casbroker/internal/sandbox"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

const (
	creditsPath = "/v1/credits"
	goodCredits = `{"used":12.5,"remaining":87.5,"limit":100,"is_unlimited":false,` +
		`"resets_at":"2026-05-01T00:00:00+05:30","enabled_features":["smart_parser","inbox_pull"]}`
)

func TestSandboxReportsCredits(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Credits: 50})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quickOptions(server.URL)
	now := time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	got, err := upstream.New(o).Credits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Used != "0" || got.Remaining != "50" || got.Limit != "50" || got.Unlimited || !got.AsOf.Equal(now) ||
		got.ResetsAt.Day() != 1 || !slices.Contains(got.Features, "smart_parser") {
		t.Errorf("got %+v", got)
	}
}

func TestUnlimitedAccountHasNoRemainingOrLimit(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Credits: -1})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	got, err := upstream.New(quickOptions(server.URL)).Credits(t.Context())
	if err != nil || !got.Unlimited || got.Remaining != "" || got.Limit != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCreditsSendsTheKeyAndTheCallersRequestID(t *testing.T) {
	t.Parallel()
	c, v := serve(t, answer(200, goodCredits))
	if _, err := c.Credits(telemetry.WithRequestID(t.Context(), "req_ours1")); err != nil {
		t.Fatal(err)
	}
	r := v.requests[0]
	if r.Method != "POST" || r.URL.Path != creditsPath || r.ContentLength != 0 ||
		r.Header.Get("x-api-key") != apiKey || r.Header.Get("X-Request-ID") != "req_ours1" {
		t.Errorf("sent %s %s %v", r.Method, r.URL, r.Header)
	}
}

func TestCreditsKeepTheVendorsDigits(t *testing.T) {
	t.Parallel()
	resets := time.Date(2026, 4, 30, 18, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		body string
		want admin.Credits
	}{
		"as documented": {goodCredits, admin.Credits{
			Used: "12.5", Remaining: "87.5", Limit: "100", ResetsAt: resets, Features: []string{"smart_parser", "inbox_pull"}}},
		"with every digit": {`{"used":9007199254740993.10,"remaining":1e3,"limit":0.1}`,
			admin.Credits{Used: "9007199254740993.1", Remaining: "1000", Limit: "0.1"}},
		"overdrawn":              {`{"used":3,"remaining":-1,"limit":2}`, admin.Credits{Used: "3", Remaining: "-1", Limit: "2"}},
		"unlimited":              {`{"used":3,"remaining":null,"limit":-1,"is_unlimited":true}`, admin.Credits{Used: "3", Unlimited: true}},
		"with a new field":       {`{"used":0,"remaining":1,"limit":1,"plan":{"name":"x"}}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"never renewed":          {`{"used":0,"remaining":1,"limit":1,"resets_at":null}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed without a year": {`{"used":0,"remaining":1,"limit":1,"resets_at":"1 May"}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed at a Unix time": {`{"used":0,"remaining":1,"limit":1,"resets_at":1777}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed in the year 10000": {`{"used":0,"remaining":1,"limit":1,"resets_at":"9999-12-31T23:59:59-12:00"}`,
			admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
	} {
		client, _ := serve(t, answer(200, c.body))
		got, err := client.Credits(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Features == nil {
			t.Errorf("%s: got features nil, want a list", name)
		}
		if got.Used != c.want.Used || got.Remaining != c.want.Remaining || got.Limit != c.want.Limit ||
			got.Unlimited != c.want.Unlimited || !got.ResetsAt.Equal(c.want.ResetsAt) || !slices.Equal(got.Features, c.want.Features) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestUndocumentedCreditsAnswerIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "not JSON": "<html>", "cut short": goodCredits[:40], "followed by more": goodCredits + "{}", "a list": "[]",
		"no used":           `{"remaining":1,"limit":1}`,
		"no remaining":      `{"used":1,"limit":1}`,
		"a string":          `{"used":"1","remaining":1,"limit":1}`,
		"a list of numbers": `{"used":[1],"remaining":1,"limit":1}`,
		"too large":         `{"used":1e999999999,"remaining":1,"limit":1}`,
		"too small":         `{"used":1e-999999999,"remaining":1,"limit":1}`,
		"too long":          `{"used":` + strings.Repeat("9", 41) + `,"remaining":1,"limit":1}`,
		"a member twice":    `{"used":1,"used":2,"remaining":1,"limit":1}`,
		"invalid UTF-8":     "{\"used\":1,\"remaining\":1,\"limit\":1,\"enabled_features\":[\"\xff\"]}",
		"features as text":  `{"used":1,"remaining":1,"limit":1,"enabled_features":"all"}`,
		"a large body":      `{"used":1,"remaining":1,"limit":1,"pad":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		c, v := serve(t, answer(200, body, "X-Request-ID", "req_vendor1"))
		got, err := c.Credits(t.Context())
		wantFault(t, err, upstream.ErrBadAnswer)
		if v.calls() != 1 || got.Used != "" || !strings.Contains(err.Error(), "req_vendor1") {
			t.Errorf("%s: got %+v, %v after %d calls, want 1", name, got, err, v.calls())
		}
	}
}

func TestRefusedCreditsTellCallersAndOperatorsWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   *fault.Fault
		text   string // in the detail for callers or the note for operators
		calls  int
	}{
		{"a bad key", 401, `{"code":"INVALID_API_KEY","msg":"` + apiKey + `"}`, upstream.ErrRefusedKey, "check upstream.api_key", 1},
		{"no credits", 402, `{"code":"INSUFFICIENT_CREDITS"}`, upstream.ErrOutOfCredits, "out of credits", 1},
		{"a token as the key", 400, `{"detail":"Cannot check credits with an access token"}`, upstream.ErrRefusedKey, "holds an access token", 1},
		{"too many requests", 429, "", upstream.ErrRateLimited, "try again later", 1},
		{"a broken vendor", 500, "", upstream.ErrUnavailable, "try again later", 3},
		{"a redirect", 302, "", upstream.ErrBadAnswer, "check upstream.url", 1},
	} {
		client, v := serve(t, answer(c.status, c.body))
		_, err := client.Credits(t.Context())
		if f := wantFault(t, err, c.want); !strings.Contains(f.Detail+f.Note, c.text) || v.calls() != c.calls {
			t.Errorf("%s: got detail %q, note %q after %d calls, want %q after %d", c.name, f.Detail, f.Note, v.calls(), c.text, c.calls)
		}
	}
}

func TestFailedCreditsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == creditsPath {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(200, goodToken)(w, r)
	})
	for range 5 {
		_, err := c.Credits(t.Context())
		wantFault(t, err, upstream.ErrUnavailable)
	}
	if s := c.State(); s.Breaker != upstream.Closed || s.LastOutcome != "failed" || s.Healthy() {
		t.Errorf("got state %+v", s)
	}
	if _, err := c.Mint(t.Context(), time.Hour); err != nil {
		t.Errorf("Mint: %v", err)
	}
	if s := c.State(); !s.Healthy() {
		t.Errorf("got state %+v", s)
	}
}

func TestStateFollowsTheBreakerAndTheLastAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := serveInMemory(upstream.Options{Attempts: 1, Breaker: upstream.Breaker{Failures: 2, OpenFor: 30 * time.Second}},
			answer(200, goodToken), answer(503, ""), answer(503, ""), answer(200, goodToken))
		defer stop()
		want := func(breaker upstream.BreakerState, last string, ago time.Duration) {
			t.Helper()
			s := c.State()
			if s.Breaker != breaker || s.LastOutcome != last || last != "" && time.Since(s.At) != ago {
				t.Errorf("got state %+v, want %s, %q %v ago", s, breaker, last, ago)
			}
		}
		mint := func() { _, _ = c.Mint(t.Context(), time.Hour) }
		want(upstream.Closed, "", 0)
		mint()
		want(upstream.Closed, "ok", 0)
		mint()
		want(upstream.Closed, "failed", 0)
		mint()
		<-time.After(900 * time.Millisecond)
		mint() // not sent, the breaker is open
		if _, err := c.Credits(t.Context()); err == nil || v.calls() != 3 {
			t.Errorf("Credits with an open breaker: got %v and %d calls, want an error and 3", err, v.calls())
		}
		want(upstream.Open, "failed", 900*time.Millisecond)
		<-time.After(200 * time.Millisecond)
		want(upstream.HalfOpen, "failed", 1100*time.Millisecond)
		mint()
		want(upstream.Closed, "ok", 0)
	})
}
