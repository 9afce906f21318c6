package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestFetchReturnsStatementsForTheRightOTP(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	const identity = `{"pan":"ZZZPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	started := c.call(http.MethodPost, "/v4/cdsl/fetch", identity)
	started.want(t, 200, `"status":"success"`, `"msg":`)
	verify := "/v4/cdsl/fetch/" + started.text("session_id") + "/verify"

	c.call(http.MethodPost, verify, `{}`).want(t, 400, "otp is required")
	c.call(http.MethodPost, verify, `{"otp":"000000"}`).want(t, 400, `"msg":"Invalid OTP"`)
	got := c.call(http.MethodPost, verify, `{"otp":"`+sandbox.OTP+`","num_periods":2}`)
	got.want(t, 200, `"filename":"cdsl_20250930_`, `"filename":"cdsl_20250831_`)
	c.call(http.MethodPost, verify, `{"otp":"123456"}`).want(t, 404, `"status":"failed"`)

	link := got.body["files"].([]any)[0].(map[string]any)["url"].(string)
	pdf := c.as("").call(http.MethodGet, link, "")
	pdf.want(t, 200, "%PDF-", "CDSL")
	if got := pdf.header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("got Access-Control-Allow-Origin %q for a file, want *", got)
	}
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 200, "Asha Verma")
	now.move(25 * time.Hour)
	c.call(http.MethodGet, link, "").want(t, 404)
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 400, `"code":"INVALID_PDF"`)
}

func TestFetchSessionEndsAfterTenMinutesOrThreeWrongOTPs(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	const identity = `{"pan":"ZZZPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	startSession := func() string {
		return "/v4/cdsl/fetch/" + c.call(http.MethodPost, "/v4/cdsl/fetch", identity).text("session_id") + "/verify"
	}
	expired := startSession()
	now.move(10 * time.Minute)
	c.call(http.MethodPost, expired, `{"otp":"123456"}`).want(t, 404)
	guessed := startSession()
	for range 3 {
		c.call(http.MethodPost, guessed, `{"otp":"1"}`).want(t, 400)
	}
	c.call(http.MethodPost, guessed, `{"otp":"123456"}`).want(t, 404)
	for from, to := range map[string]string{"ZZZPV0000A": "ZZZPV0000", "14": "x", "1990-01-15": "15/01/1990"} {
		c.call(http.MethodPost, "/v4/cdsl/fetch", strings.Replace(identity, from, to, 1)).want(t, 400)
	}
}

func TestOldestOfTooManySessionsIsEvicted(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{RateLimit: sandbox.Unlimited})
	const identity = `{"pan":"ZZZPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	first := c.call(http.MethodPost, "/v4/cdsl/fetch", identity).text("session_id")
	second := c.call(http.MethodPost, "/v4/cdsl/fetch", identity).text("session_id")
	for range 999 {
		c.call(http.MethodPost, "/v4/cdsl/fetch", identity)
	}
	c.call(http.MethodPost, "/v4/cdsl/fetch/"+first+"/verify", `{"otp":"123456"}`).want(t, 404)
	c.call(http.MethodPost, "/v4/cdsl/fetch/"+second+"/verify", `{"otp":"123456"}`).want(t, 200)
}

func TestMailboxIsConnectedReadAndDisconnected(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Now: newClock().Now})
	connect := c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/back?a=1","state":"s1","provider":"outlook"}`)
	connect.want(t, 200, `"provider":"outlook"`, `"expires_in":600`)
	redirect := openConsent(t, c, connect.text("oauth_url"))
	if redirect.Host != "app.example" || redirect.Query().Get("state") != "s1" || redirect.Query().Get("a") != "1" || redirect.Query().Get("email") == "" {
		t.Fatalf("got redirect to %s, want redirect_uri with state and email", redirect)
	}
	token := redirect.Query().Get("inbox_token")

	c.call(http.MethodPost, "/v4/inbox/status", "", "x-inbox-token", token).want(t, 200, `"connected":true`, `"provider":"outlook"`)
	all := c.call(http.MethodPost, "/v4/inbox/cas", "", "x-inbox-token", token)
	all.want(t, 200, `"count":4`, `"cas_type":"kfintech"`, `"sender_email":"statements@cdsl.example"`, `"expires_in":86400`,
		`"message_date":"2025-10-17"`)
	if got := all.header.Get("X-Credits-Used"); got != "0.2" {
		t.Errorf("got %s credits charged, want 0.2", got)
	}
	link := all.body["files"].([]any)[1].(map[string]any)["url"].(string)
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 200, `"cas_type":"NSDL"`)
	c.call(http.MethodPost, "/v4/inbox/cas", `{"cas_types":["cams"]}`, "x-inbox-token", token).want(t, 200, `"count":1`)
	c.call(http.MethodPost, "/v4/inbox/cas", `{"start_date":"2025-10-16"}`, "x-inbox-token", token).want(t, 200, `"count":1`)
	c.call(http.MethodPost, "/v4/inbox/cas", `{"end_date":"today"}`, "x-inbox-token", token).want(t, 400)

	c.call(http.MethodPost, "/v4/inbox/disconnect", "", "x-inbox-token", token).want(t, 200, `"status":"success"`)
	c.call(http.MethodPost, "/v4/inbox/status", "", "x-inbox-token", token).want(t, 401, `"requires_reconnect":true`)
	c.call(http.MethodPost, "/v4/inbox/cas", "").want(t, 400, "x-inbox-token")
}

func TestConsentCanBeDeniedRevokedAndGivenOnlyOnce(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	connect := func() string {
		return c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"http://127.0.0.1:9/back"}`).text("oauth_url")
	}
	if redirect := openConsent(t, c, connect()+"?deny=1"); redirect.Query().Get("error") != "access_denied" || redirect.Query().Has("inbox_token") {
		t.Errorf("got redirect to %s, want an error and no token", redirect)
	}
	link := connect()
	token := openConsent(t, c, link).Query().Get("inbox_token")
	c.call(http.MethodGet, link, "").want(t, 404)
	c.call(http.MethodPost, "/_sandbox/inbox/revoke", `{"inbox_token":"`+token+`"}`).want(t, 200)
	c.call(http.MethodPost, "/v4/inbox/cas", "", "x-inbox-token", token).want(t, 401, `"requires_reconnect":true`)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"javascript:alert(1)"}`).want(t, 400)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/","provider":"yahoo"}`).want(t, 200, `"provider":"gmail"`)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).want(t, 200, `"provider":"gmail"`)
}

// openConsent opens the consent page at link and returns where it redirects to.
func openConsent(t *testing.T, c *client, link string) *url.URL {
	t.Helper()
	a := c.as("").call(http.MethodGet, link, "")
	a.want(t, http.StatusFound)
	redirect, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return redirect
}
