package app_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

// saved is a portfolio in an answer.
type saved struct {
	ID         string         `json:"id"`
	Created    bool           `json:"created"`
	CASType    string         `json:"cas_type"`
	TotalValue string         `json:"total_value"`
	Holdings   map[string]int `json:"holdings"`
	Received   int            `json:"received_rows"`
	Stored     int            `json:"stored_rows"`
	Rows       []struct {
		Class string `json:"class"`
		Name  string `json:"name"`
	} `json:"rows"`
}

func TestUserImportsAPortfolio(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		b := start(t, settings)

		first := b.token(t, "asha")
		if again := b.token(t, "asha"); again.AccessToken != first.AccessToken || again.GrantID != first.GrantID {
			t.Error("want the same token for the second request")
		}
		if n := vendor.Calls("/v1/token"); n != 1 {
			t.Errorf("the vendor got %d requests, want 1", n)
		}

		payload := `{"data":` + parse(t, settings.Upstream.URL, first.AccessToken, "cdsl", "right").must(t, 200).body +
			`,"metadata":{"filename":"cdsl.pdf","parser_type":"smart","parse_duration_ms":1200}}`
		var p saved
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload, "Idempotency-Key", `"k1"`).must(t, 201).decode(t, &p)
		if !p.Created || p.CASType != "CDSL" || p.Received != p.Stored || p.Stored == 0 || !strings.Contains(p.TotalValue, ".") {
			t.Errorf("save: got %+v", p)
		}
		replay := b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload, "Idempotency-Key", `"k1"`).must(t, 201)
		if replay.header.Get("Idempotency-Replayed") != "true" {
			t.Error("want Idempotency-Replayed on the repeated request")
		}
		var twice saved
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", payload).must(t, 200).decode(t, &twice)
		if twice.ID != p.ID || twice.Created {
			t.Errorf("the same statement again: got %+v", twice)
		}

		var read saved
		b.call(t, "asha", http.MethodGet, "/v1/portfolios/latest", "").must(t, 200).decode(t, &read)
		if read.ID != p.ID || len(read.Rows) != p.Stored || read.TotalValue != p.TotalValue {
			t.Errorf("read: got %+v", read)
		}
		if raw := b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").must(t, 200); raw.body != payload {
			t.Error("want the raw payload as sent")
		}
		for _, path := range []string{"", "/holdings", "/raw"} {
			b.call(t, "rohan", http.MethodGet, "/v1/portfolios/"+p.ID+path, "").must(t, 404)
		}
		b.call(t, "rohan", http.MethodDelete, "/v1/portfolios/"+p.ID, "").must(t, 404)

		b.call(t, "asha", http.MethodDelete, "/v1/portfolios/"+p.ID, "").must(t, 204)
		b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID, "").must(t, 404)
	})
}

func TestSavedDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		b := start(t, settings)
		statement := parse(t, settings.Upstream.URL, b.token(t, "asha").AccessToken, "nsdl", "right").must(t, 200).body
		var p saved
		b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "before-it").must(t, 201).decode(t, &p)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		b = start(t, settings)
		if raw := b.call(t, "asha", http.MethodGet, "/v1/portfolios/"+p.ID+"/raw", "").must(t, 200); raw.body != statement {
			t.Error("want the same payload after a restart")
		}
		replay := b.call(t, "asha", http.MethodPost, "/v1/portfolios", statement, "Idempotency-Key", "before-it").must(t, 201)
		if replay.header.Get("Idempotency-Replayed") != "true" {
			t.Error("want the idempotency key kept over a restart")
		}
	})
}

func TestConcurrentRequestsOfANewUserMintOneToken(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.RateLimit.Token = config.Limits{}
		b := start(t, settings)
		tokens := make(chan string, 200)
		var all sync.WaitGroup
		for range cap(tokens) {
			all.Go(func() { tokens <- b.token(t, "asha").AccessToken })
		}
		all.Wait()
		close(tokens)
		first := <-tokens
		for other := range tokens {
			if other != first {
				t.Fatal("got two different tokens, want one")
			}
		}
		if n := vendor.Calls("/v1/token"); n != 1 {
			t.Errorf("the vendor got %d requests, want 1", n)
		}
	})
}

func TestRateLimitedUserGetsRetryAfter(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		settings.RateLimit.Token.User = "3-H"
		b := start(t, settings)
		for range 3 {
			b.token(t, "asha")
		}
		limited := b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 429)
		if limited.header.Get("Retry-After") == "" || !strings.HasPrefix(limited.header.Get("RateLimit"), `"token-user";r=0;t=`) {
			t.Errorf("got headers %v, want Retry-After and RateLimit", limited.header)
		}
		b.token(t, "rohan")
	})
}

func TestTokenHasTheRequestedLifetime(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	b := start(t, settings)
	whole := b.token(t, "asha")
	var short issued
	b.call(t, "asha", http.MethodPost, "/v1/token", `{"expiry_minutes":5}`).must(t, 200).decode(t, &short)
	if short.AccessToken == whole.AccessToken || short.ExpiresIn > 300 {
		t.Errorf("asked for 5 minutes: got %+v", short)
	}
	for body, status := range map[string]int{
		`{"expiry_minutes":0}`: 422, `{"expiry_minutes":61}`: 422, `{"expiry_minutes":"5"}`: 422, `{"expiry_minutes":1.5}`: 422,
		`{"expiry":5}`: 400, `[]`: 400, `{`: 400, `null`: 400, `{"expiry_minutes":5}{}`: 400, strings.Repeat(" ", 5000): 413,
	} {
		if got := b.call(t, "asha", http.MethodPost, "/v1/token", body); got.status != status {
			t.Errorf("%.40s: got %d, want %d: %s", body, got.status, status, got.body)
		}
	}
	b.call(t, "asha", http.MethodPost, "/v1/token", "expiry_minutes=5", "Content-Type", "application/x-www-form-urlencoded").must(t, 415)
}
