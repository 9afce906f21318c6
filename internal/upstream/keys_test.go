package upstream_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/fault"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/upstream"
)

func TestMintGoesOnWithAnotherKey(t *testing.T) {
	t.Parallel()
	for _, answers := range []struct {
		fault sandbox.Fault
		want  *fault.Fault // when there is no other key
	}{
		{sandbox.Fault{Status: 401}, upstream.ErrRefusedKey},
		{sandbox.Fault{Status: 402}, upstream.ErrOutOfCredits},
		{sandbox.Fault{Status: 403}, upstream.ErrRefusedKey},
		{sandbox.Fault{Status: 429, RetryAfter: 9}, upstream.ErrRateLimited},
	} {
		answers.fault.Path, answers.fault.Kind, answers.fault.Times = mintPath, sandbox.FaultStatus, 1
		box := sandbox.New(sandbox.Options{
			APIKey: apiKey, RateLimit: sandbox.Unlimited, Accounts: []sandbox.Account{{APIKey: "invented-key-second"}}, Faults: []sandbox.Fault{answers.fault},
		})
		server := httptest.NewServer(box)
		defer server.Close()
		o := quickOptions(server.URL)
		o.Keys = apikey.New(apikey.Options{Keys: []apikey.Settings{{Name: "first", Value: apiKey}, {Name: "second", Value: "invented-key-second"}}})
		c := upstream.New(o)
		for n := range 3 {
			if _, err := c.Mint(t.Context(), time.Hour); err != nil || box.Calls(mintPath) != n+2 {
				t.Errorf("HTTP %d: got %v after %d calls, want a token after %d", answers.fault.Status, err, box.Calls(mintPath), n+2)
			}
		}
		answers.fault.Times = 0
		box.AddFault(answers.fault)
		_, err := c.Mint(t.Context(), time.Hour)
		wantFault(t, err, answers.want)
		called := box.Calls(mintPath)
		_, err = c.Mint(t.Context(), time.Hour)
		if f := wantFault(t, err, answers.want); box.Calls(mintPath) != called || f.RetryAfter < 5*time.Second {
			t.Errorf("HTTP %d: got %d more calls, and Retry-After %v", answers.fault.Status, box.Calls(mintPath)-called, f.RetryAfter)
		}
	}
}

func TestVendorTellsWhyAKeyIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options sandbox.Options
		value   secret.Text
		want    apikey.Account
		reason  apikey.Reason
	}{
		"an account":           {sandbox.Options{APIKey: apiKey, Credits: 50}, apiKey, apikey.Account{Remaining: 50, Limit: 50}, ""},
		"an unlimited account": {sandbox.Options{APIKey: apiKey, Credits: sandbox.Unlimited}, apiKey, apikey.Account{Unlimited: true}, ""},
		"an unknown key":       {sandbox.Options{APIKey: apiKey}, "invented-key-other", apikey.Account{}, apikey.Refused},
		"without a code":       {sandbox.Options{APIKey: apiKey, OpenAPIErrors: true}, "invented-key-other", apikey.Account{}, apikey.QuotaOrKey},
	} {
		server := httptest.NewServer(sandbox.New(c.options))
		defer server.Close()
		client := upstream.New(quickOptions(server.URL))
		key, _ := apikey.Static(c.value).First(t.Context())
		got, reason, err := client.Account(t.Context(), key)
		if got != c.want || reason != c.reason || (err != nil) != (reason != "") {
			t.Errorf("%s: got %+v, %q, %v; want %+v, %q", name, got, reason, err, c.want, c.reason)
		}
	}
}

func TestOthersShareTheBreaker(t *testing.T) {
	t.Parallel()
	c, box := startSandbox(t, apiKey)
	for _, outcome := range []string{"failed", "timeout", "ok", "unreachable", "canceled", "bad_answer", "timeout", "failed"} {
		done, wait := c.Health().Allow()
		if wait != 0 {
			t.Fatalf("before %s: got a wait of %v", outcome, wait)
		}
		done(outcome)
	}
	if s := c.State(); s.Breaker != upstream.Closed || s.LastOutcome != "failed" || s.Healthy() {
		t.Errorf("got %+v, want closed after 4 failures in a row", s)
	}
	done, _ := c.Health().Allow()
	done("unreachable")
	if _, wait := c.Health().Allow(); wait != time.Second {
		t.Errorf("got a wait of %v, want 1s", wait)
	}
	_, err := c.Mint(t.Context(), time.Hour)
	if f := wantFault(t, err, upstream.ErrUnavailable); f.RetryAfter != time.Second || box.Calls(mintPath) != 0 {
		t.Errorf("got %v after %d calls, want a refusal without a call", f.RetryAfter, box.Calls(mintPath))
	}
}
