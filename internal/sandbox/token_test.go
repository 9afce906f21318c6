package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestTokenReplacesTheKeyUntilItExpires(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	c.call(http.MethodPost, "/v1/token", "").want(t, 200, `"token_type":"api_key"`, `"expires_in":3600`)
	token := c.token(`{"expiry_minutes":5}`)
	widget := c.as(token)

	widget.upload("/v4/smart/parse", "pdf_file", "my.pdf", plain).want(t, 200, `"cas_type":"CDSL"`)
	widget.call(http.MethodPost, "/v1/token/verify", "").want(t, 200, `"valid":true`, `"masked_api_key":"sk_t****cdef"`)
	c.call(http.MethodPost, "/v1/verify-token", `{"access_token":"`+token+`"}`).
		want(t, 200, `"valid":true`, `"expires_at":"2025-10-20T09:35:00Z"`)

	now.move(5 * time.Minute)
	widget.upload("/v4/smart/parse", "pdf_file", "my.pdf", plain).want(t, 403, `"status":"failed"`, `expired`)
	widget.call(http.MethodPost, "/v1/token/verify", "").want(t, 200, `"valid":false`, `"error":"Token has expired"`)
	c.as("at_unknown").call(http.MethodPost, "/v1/token/verify", "").want(t, 200, `"valid":false`)
	if got := c.vendor.IssuedTokens(); got != 2 {
		t.Errorf("got %d tokens issued, want 2", got)
	}
	if got := c.vendor.Calls("/v1/token"); got != 2 {
		t.Errorf("got %d calls counted, want 2", got)
	}
}

func TestTokenCannotMintOrReadCreditsAndUsage(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	widget := c.as(c.token(`{"expiry_minutes":60}`))
	for _, path := range []string{"/v1/token", "/v1/access-token", "/v1/credits", "/v1/usage", "/v1/usage/summary"} {
		widget.call(http.MethodPost, path, "").want(t, 400, `{"detail":"Cannot `)
	}
	widget.call(http.MethodPost, "/v1/token", "").want(t, 400, `{"detail":"Cannot create access token from access token"}`)
}

func TestTokenLifetimeIsOneToSixtyMinutes(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, body := range []string{`{"expiry_minutes":0}`, `{"expiry_minutes":61}`, `{"expiry_minutes":-1}`, `{"expiry_minutes":"5"}`, `{`} {
		c.call(http.MethodPost, "/v1/token", body).want(t, 400, `{"detail":"expiry_minutes must be`)
	}
	c.call(http.MethodPost, "/v1/access-token", `{"expiry_minutes":1}`).want(t, 200, `"expires_in":60`)
}

func TestMissingOrUnknownKeyIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, credential := range []string{"", "sk_unknown", "at_unknown"} {
		c.as(credential).call(http.MethodPost, "/v4/generate", "{}").
			want(t, 401, `"status":"failed"`, `"code":"INVALID_API_KEY"`)
	}
	c.as("").call(http.MethodPost, "/v1/token/verify", "").want(t, 401, `"code":"INVALID_API_KEY"`)
}

func TestEachParseCostsACreditUntilNoneAreLeft(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Credits: 2, Accounts: []sandbox.Account{
		{APIKey: "sk_other_account_0001", Credits: sandbox.Unlimited}, {APIKey: "sk_empty_account_0002"},
	}})
	first := c.upload("/v4/cdsl/parse", "pdf_file", "a.pdf", plain)
	first.want(t, 200)
	if u, r := first.header.Get("X-Credits-Used"), first.header.Get("X-Credits-Remaining"); u != "1" || r != "1" {
		t.Errorf("got credits used %q, remaining %q; want 1 and 1", u, r)
	}
	c.upload("/v4/cdsl/parse", "pdf_file", "a.pdf", []byte("no pdf")).want(t, 400)
	c.call(http.MethodPost, "/v1/credits", "").want(t, 200, `"used":1,"remaining":1,"limit":2,"is_unlimited":false`)
	c.upload("/v4/cdsl/parse", "pdf_file", "a.pdf", plain).want(t, 200)
	c.upload("/v4/cdsl/parse", "pdf_file", "a.pdf", plain).want(t, 402, `"code":"INSUFFICIENT_CREDITS"`)

	c.as("sk_empty_account_0002").upload("/v4/cdsl/parse", "pdf_file", "a.pdf", plain).want(t, 402)
	other := c.as("sk_other_account_0001")
	other.upload("/v4/cdsl/parse", "pdf_file", "a.pdf", plain).want(t, 200)
	other.call(http.MethodPost, "/v1/credits", "").want(t, 200, `"used":1,"remaining":null`, `"is_unlimited":true`)
}

func TestUsageListsEarlierCalls(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	c.as(c.token("")).upload("/v4/nsdl/parse", "pdf_file", "a.pdf", plain).want(t, 200)
	now.move(time.Hour)
	c.upload("/v4/nsdl/parse", "pdf_file", "a.pdf", []byte("no pdf")).want(t, 400)

	c.call(http.MethodPost, "/v1/usage", `{"limit":1}`).want(t, 200, `"count":1`, `"status_code":400,"credits":0`)
	logs := c.call(http.MethodPost, "/v1/usage", `{"start_time":"2025-10-20T09:00:00Z","end_time":"2025-10-20T10:00:00Z"}`)
	logs.want(t, 200, `"count":1`, `"feature":"nsdl_cas_parser","path":"/v4/nsdl/parse","status_code":200,"credits":1,"request_id":"req_`)
	c.call(http.MethodPost, "/v1/usage/summary", "").want(t, 200, `"total_credits":1`, `{"feature":"nsdl_cas_parser","requests":2,"credits":1}`)
	c.call(http.MethodPost, "/v1/usage", `{"start_time":"yesterday"}`).want(t, 400, `{"detail":`)
}

func TestPublicKeyIsFreeAndLimitedToTenRequestsAMinute(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now}).as(sandbox.PublicKey)
	widget := c.as(c.token(""))
	for range sandbox.PublicLimit - 1 {
		a := widget.upload("/v4/nsdl/parse", "pdf_file", "a.pdf", plain)
		a.want(t, 200, `"cas_type":"NSDL"`)
		if used := a.header.Get("X-Credits-Used"); used != "0" {
			t.Fatalf("got %s credits charged, want 0", used)
		}
	}
	now.move(20 * time.Second)
	limited := widget.upload("/v4/smart/parse", "pdf_file", "a.pdf", plain)
	limited.want(t, 429, `"code":"RATE_LIMITED"`)
	if got := limited.header.Get("Retry-After"); got != "60" {
		t.Errorf("got Retry-After %q, want 60", got)
	}
	now.move(40 * time.Second)
	c.call(http.MethodPost, "/v1/credits", "").want(t, 200, `"used":0`, `"is_unlimited":true`)
}

func TestKeyAndItsTokensShareSixtyRequestsAMinute(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now, Accounts: []sandbox.Account{{APIKey: "sk_other_account_0001"}}})
	token := c.token("")
	for range (sandbox.AccountLimit - 2) / 2 {
		c.as(token).call(http.MethodPost, "/v1/token/verify", "").want(t, 200)
		c.call(http.MethodPost, "/v4/generate", "{}").want(t, 400)
	}
	c.as(token).call(http.MethodGet, "/v4/inbound-email", "").want(t, 200)
	for _, path := range []string{"/v1/token", "/v1/token/verify", "/v4/smart/parse"} {
		limited := c.call(http.MethodPost, path, "")
		limited.want(t, 429, `"status":"failed"`, `"code":"RATE_LIMITED"`)
		if got := limited.header.Get("Retry-After"); got != "60" {
			t.Errorf("%s: got Retry-After %q, want 60", path, got)
		}
	}
	c.as(token).call(http.MethodPost, "/v1/token/verify", "").want(t, 429)
	c.as("sk_other_account_0001").token("")
	now.move(time.Minute)
	c.token("")

	free := start(t, sandbox.Options{RateLimit: sandbox.Unlimited})
	strict := start(t, sandbox.Options{RateLimit: 1})
	for range sandbox.AccountLimit + 1 {
		free.token("")
	}
	strict.token("")
	strict.call(http.MethodPost, "/v1/token", "").want(t, 429)
}

func TestQuotaAndKeyErrorsAreTheSameInTheOpenAPIGeneration(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now, OpenAPIErrors: true, Accounts: []sandbox.Account{{APIKey: "sk_empty_account_0002"}}})
	const both = `{"status":"failed","msg":"API quota exceeded or invalid API key"}`
	token := c.token(`{"expiry_minutes":1}`)
	now.move(time.Minute)
	for _, credential := range []string{"sk_unknown", "at_unknown", token, "sk_empty_account_0002"} {
		if a := c.as(credential).upload("/v4/smart/parse", "pdf_file", "a.pdf", plain); a.status != 403 || string(a.raw) != both {
			t.Errorf("%s: got %d %s, want 403 %s", credential, a.status, a.raw, both)
		}
	}
	c.as("").call(http.MethodPost, "/v4/smart/parse", "").want(t, 401, `"code":"INVALID_API_KEY"`)
	c.vendor.AddFault(sandbox.Fault{Path: "/v4/*", Times: 1, Kind: sandbox.FaultStatus, Status: 403})
	if a := c.call(http.MethodPost, "/v4/generate", "{}"); string(a.raw) != both {
		t.Errorf("fault: got %s, want %s", a.raw, both)
	}
}

func TestValidRequestIDsAreEchoed(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	if got := c.call(http.MethodPost, "/v1/token", "", "X-Request-ID", "req_Mine42").header.Get("X-Request-ID"); got != "req_Mine42" {
		t.Errorf("got X-Request-ID %q, want req_Mine42", got)
	}
	for _, own := range []string{"", "mine", "req_", "req_a-b", "req_" + strings.Repeat("a", 65)} {
		got := c.as("").call(http.MethodPost, "/v1/token", "", "X-Request-ID", own).header.Get("X-Request-ID")
		if !strings.HasPrefix(got, "req_") || got == own || len(got) < 12 {
			t.Errorf("got X-Request-ID %q for %q, want a new one", got, own)
		}
	}
}
