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
		`"resets_at":"2026-05-01T00:00:00+05:30","enabled_features":["smart_parse","inbox"]}`
)

func TestTheEmulatedVendorTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Credits: 50})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	o := quick(server.URL)
	now := time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	got, err := upstream.New(o).Credits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Used != "0" || got.Remaining != "50" || got.Limit != "50" || got.Unlimited || !got.AsOf.Equal(now) ||
		got.ResetsAt.Day() != 1 || !slices.Contains(got.Features, "smart_parse") {
		t.Errorf("got %+v", got)
	}
}

func TestAnAccountWithoutLimitHasNoEndOfCredits(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{APIKey: apiKey, Credits: -1})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	got, err := upstream.New(quick(server.URL)).Credits(t.Context())
	if err != nil || !got.Unlimited || got.Remaining != "" || got.Limit != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCreditsAreAskedForWithTheKeyAndTheCallersRequestID(t *testing.T) {
	t.Parallel()
	c, v := served(t, says(200, goodCredits))
	if _, err := c.Credits(telemetry.WithRequestID(t.Context(), "req_ours1")); err != nil {
		t.Fatal(err)
	}
	r := v.heard[0]
	if r.Method != "POST" || r.URL.Path != creditsPath || r.ContentLength != 0 ||
		r.Header.Get("x-api-key") != apiKey || r.Header.Get("X-Request-ID") != "req_ours1" {
		t.Errorf("sent %s %s %v", r.Method, r.URL, r.Header)
	}
}

func TestCreditsAreReadAsTheVendorWroteThem(t *testing.T) {
	t.Parallel()
	resets := time.Date(2026, 4, 30, 18, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		body string
		want admin.Credits
	}{
		"as documented": {goodCredits, admin.Credits{
			Used: "12.5", Remaining: "87.5", Limit: "100", ResetsAt: resets, Features: []string{"smart_parse", "inbox"}}},
		"with every digit": {`{"used":9007199254740993.10,"remaining":1e3,"limit":0.1}`,
			admin.Credits{Used: "9007199254740993.1", Remaining: "1000", Limit: "0.1"}},
		"overdrawn":         {`{"used":3,"remaining":-1,"limit":2}`, admin.Credits{Used: "3", Remaining: "-1", Limit: "2"}},
		"without end":       {`{"used":3,"remaining":null,"limit":-1,"is_unlimited":true}`, admin.Credits{Used: "3", Unlimited: true}},
		"with a new field":  {`{"used":0,"remaining":1,"limit":1,"plan":{"name":"x"}}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"never renewed":     {`{"used":0,"remaining":1,"limit":1,"resets_at":null}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed some day":  {`{"used":0,"remaining":1,"limit":1,"resets_at":"1 May"}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed at a unix": {`{"used":0,"remaining":1,"limit":1,"resets_at":1777}`, admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
		"renewed in the year 10000": {`{"used":0,"remaining":1,"limit":1,"resets_at":"9999-12-31T23:59:59-12:00"}`,
			admin.Credits{Used: "0", Remaining: "1", Limit: "1"}},
	} {
		client, _ := served(t, says(200, c.body))
		got, err := client.Credits(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Features == nil {
			t.Errorf("%s: the features are no list", name)
		}
		if got.Used != c.want.Used || got.Remaining != c.want.Remaining || got.Limit != c.want.Limit ||
			got.Unlimited != c.want.Unlimited || !got.ResetsAt.Equal(c.want.ResetsAt) || !slices.Equal(got.Features, c.want.Features) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestAnAnswerOfAnotherShapeTellsNoCredits(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "no JSON": "<html>", "cut short": goodCredits[:40], "followed by more": goodCredits + "{}", "a list": "[]",
		"nothing used":      `{"remaining":1,"limit":1}`,
		"nothing left over": `{"used":1,"limit":1}`,
		"a string":          `{"used":"1","remaining":1,"limit":1}`,
		"a list of numbers": `{"used":[1],"remaining":1,"limit":1}`,
		"endless":           `{"used":1e999999999,"remaining":1,"limit":1}`,
		"tiny":              `{"used":1e-999999999,"remaining":1,"limit":1}`,
		"long":              `{"used":` + strings.Repeat("9", 41) + `,"remaining":1,"limit":1}`,
		"twice":             `{"used":1,"used":2,"remaining":1,"limit":1}`,
		"broken text":       "{\"used\":1,\"remaining\":1,\"limit\":1,\"enabled_features\":[\"\xff\"]}",
		"features of text":  `{"used":1,"remaining":1,"limit":1,"enabled_features":"all"}`,
		"huge":              `{"used":1,"remaining":1,"limit":1,"pad":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		c, v := served(t, says(200, body, "X-Request-ID", "req_vendor1"))
		got, err := c.Credits(t.Context())
		failed(t, err, upstream.ErrBadAnswer)
		if v.calls() != 1 || got.Used != "" || !strings.Contains(err.Error(), "req_vendor1") {
			t.Errorf("%s: asked %d times, got %+v, %v", name, v.calls(), got, err)
		}
	}
}

func TestCreditsThatAreRefusedSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   *fault.Fault
		detail string
		calls  int
	}{
		{"a bad key", 401, `{"code":"INVALID_API_KEY","msg":"` + apiKey + `"}`, upstream.ErrRefusedKey, "check upstream.api_key", 1},
		{"no credits", 402, `{"code":"INSUFFICIENT_CREDITS"}`, upstream.ErrOutOfCredits, "out of credits", 1},
		{"a token in the key's place", 400, `{"detail":"Cannot check credits with an access token"}`, upstream.ErrRefusedKey, "holds an access token", 1},
		{"too many requests", 429, "", upstream.ErrRateLimited, "try again later", 3},
		{"a broken vendor", 500, "", upstream.ErrUnavailable, "try again later", 3},
		{"a redirect", 302, "", upstream.ErrBadAnswer, "check upstream.url", 1},
	} {
		client, v := served(t, says(c.status, c.body))
		_, err := client.Credits(t.Context())
		if f := failed(t, err, c.want); !strings.Contains(f.Detail, c.detail) || v.calls() != c.calls {
			t.Errorf("%s: %q after %d calls", c.name, f.Detail, v.calls())
		}
	}
}

func TestCreditsThatFailDoNotStopTheTokens(t *testing.T) {
	t.Parallel()
	c, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == creditsPath {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		says(200, goodToken)(w, r)
	})
	for range 5 {
		_, err := c.Credits(t.Context())
		failed(t, err, upstream.ErrUnavailable)
	}
	if s := c.State(); s.Breaker != upstream.Closed || s.Last != "failed" || s.Well() {
		t.Errorf("state %+v", s)
	}
	if _, err := c.Mint(t.Context(), time.Hour); err != nil {
		t.Errorf("no token: %v", err)
	}
	if s := c.State(); !s.Well() {
		t.Errorf("state %+v", s)
	}
}

func TestTheStateTellsHowTheVendorSeems(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, v, stop := inMemory(upstream.Options{Attempts: 1, Breaker: upstream.Breaker{Failures: 2, OpenFor: 30 * time.Second}},
			says(200, goodToken), says(503, ""), says(503, ""), says(200, goodToken))
		defer stop()
		shows := func(breaker upstream.Breaking, last string, ago time.Duration) {
			t.Helper()
			s := c.State()
			if s.Breaker != breaker || s.Last != last || last != "" && time.Since(s.At) != ago {
				t.Errorf("state %+v, want %s, %q %v ago", s, breaker, last, ago)
			}
		}
		mint := func() { _, _ = c.Mint(t.Context(), time.Hour) }
		shows(upstream.Closed, "", 0)
		mint()
		shows(upstream.Closed, "ok", 0)
		mint()
		shows(upstream.Closed, "failed", 0)
		mint()
		<-time.After(10 * time.Second)
		mint() // is spared
		if _, err := c.Credits(t.Context()); err == nil || v.calls() != 3 {
			t.Errorf("asked for credits past the breaker: %v, %d calls", err, v.calls())
		}
		shows(upstream.Open, "failed", 10*time.Second)
		<-time.After(21 * time.Second)
		shows(upstream.HalfOpen, "failed", 31*time.Second)
		mint()
		shows(upstream.Closed, "ok", 0)
	})
}
