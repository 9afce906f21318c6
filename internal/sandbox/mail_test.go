package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestAFetchGivesStatementsForTheRightOTP(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	const who = `{"pan":"AAAPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	begun := c.call(http.MethodPost, "/v4/cdsl/fetch", who)
	begun.want(t, 200, `"status":"success"`, `"msg":`)
	verify := "/v4/cdsl/fetch/" + begun.text("session_id") + "/verify"

	c.call(http.MethodPost, verify, `{}`).want(t, 400, "otp is required")
	c.call(http.MethodPost, verify, `{"otp":"000000"}`).want(t, 400, `"msg":"Invalid OTP"`)
	got := c.call(http.MethodPost, verify, `{"otp":"`+sandbox.OTP+`","num_periods":2}`)
	got.want(t, 200, `"filename":"cdsl_20250930_`, `"filename":"cdsl_20250831_`)
	c.call(http.MethodPost, verify, `{"otp":"123456"}`).want(t, 404, `"status":"failed"`)

	link := got.body["files"].([]any)[0].(map[string]any)["url"].(string)
	pdf := c.as("").call(http.MethodGet, link, "")
	pdf.want(t, 200, "%PDF-", "CDSL")
	if got := pdf.header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("a page cannot read the file: %q", got)
	}
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 200, "Asha Verma")
	now.move(25 * time.Hour)
	c.call(http.MethodGet, link, "").want(t, 404)
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 400, `"code":"INVALID_PDF"`)
}

func TestAFetchSessionEndsByTimeAndByWrongOTPs(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	const who = `{"pan":"AAAPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	begin := func() string {
		return "/v4/cdsl/fetch/" + c.call(http.MethodPost, "/v4/cdsl/fetch", who).text("session_id") + "/verify"
	}
	late := begin()
	now.move(10 * time.Minute)
	c.call(http.MethodPost, late, `{"otp":"123456"}`).want(t, 404)
	guessed := begin()
	for range 3 {
		c.call(http.MethodPost, guessed, `{"otp":"1"}`).want(t, 400)
	}
	c.call(http.MethodPost, guessed, `{"otp":"123456"}`).want(t, 404)
	for was, is := range map[string]string{"AAAPV0000A": "AAAPV0000", "14": "x", "1990-01-15": "15/01/1990"} {
		c.call(http.MethodPost, "/v4/cdsl/fetch", strings.Replace(who, was, is, 1)).want(t, 400)
	}
}

func TestTheOldestSessionMakesRoomForTheThousandAndFirst(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	const who = `{"pan":"AAAPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	first := c.call(http.MethodPost, "/v4/cdsl/fetch", who).text("session_id")
	second := c.call(http.MethodPost, "/v4/cdsl/fetch", who).text("session_id")
	for range 999 {
		c.call(http.MethodPost, "/v4/cdsl/fetch", who)
	}
	c.call(http.MethodPost, "/v4/cdsl/fetch/"+first+"/verify", `{"otp":"123456"}`).want(t, 404)
	c.call(http.MethodPost, "/v4/cdsl/fetch/"+second+"/verify", `{"otp":"123456"}`).want(t, 200)
}

func TestAMailboxIsConnectedReadAndDisconnected(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Now: newClock().Now})
	asked := c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/back?a=1","state":"s1","provider":"outlook"}`)
	asked.want(t, 200, `"provider":"outlook"`, `"expires_in":600`)
	back := consent(t, c, asked.text("oauth_url"))
	if back.Host != "app.example" || back.Query().Get("state") != "s1" || back.Query().Get("a") != "1" || back.Query().Get("email") == "" {
		t.Fatalf("sent back to %s", back)
	}
	token := back.Query().Get("inbox_token")

	c.call(http.MethodPost, "/v4/inbox/status", "", "x-inbox-token", token).want(t, 200, `"connected":true`, `"provider":"outlook"`)
	all := c.call(http.MethodPost, "/v4/inbox/cas", "", "x-inbox-token", token)
	all.want(t, 200, `"count":4`, `"cas_type":"kfintech"`, `"sender_email":"statements@cdsl.example"`, `"expires_in":86400`)
	if got := all.header.Get("X-Credits-Used"); got != "0.2" {
		t.Errorf("charged %s, want 0.2", got)
	}
	link := all.body["files"].([]any)[1].(map[string]any)["url"].(string)
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 200, "Rohan Iyer")
	c.call(http.MethodPost, "/v4/inbox/cas", `{"cas_types":["cams"]}`, "x-inbox-token", token).want(t, 200, `"count":1`)
	c.call(http.MethodPost, "/v4/inbox/cas", `{"start_date":"2025-10-16"}`, "x-inbox-token", token).want(t, 200, `"count":1`)
	c.call(http.MethodPost, "/v4/inbox/cas", `{"end_date":"today"}`, "x-inbox-token", token).want(t, 400)

	c.call(http.MethodPost, "/v4/inbox/disconnect", "", "x-inbox-token", token).want(t, 200, `"status":"success"`)
	c.call(http.MethodPost, "/v4/inbox/status", "", "x-inbox-token", token).want(t, 401, `"requires_reconnect":true`)
	c.call(http.MethodPost, "/v4/inbox/cas", "").want(t, 400, "x-inbox-token")
}

func TestConsentCanBeRefusedRevokedAndGivenOnlyOnce(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	ask := func() string {
		return c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"http://127.0.0.1:9/back"}`).text("oauth_url")
	}
	if back := consent(t, c, ask()+"?deny=1"); back.Query().Get("error") != "access_denied" || back.Query().Has("inbox_token") {
		t.Errorf("sent back to %s", back)
	}
	link := ask()
	token := consent(t, c, link).Query().Get("inbox_token")
	c.call(http.MethodGet, link, "").want(t, 404)
	c.call(http.MethodPost, "/_sandbox/inbox/revoke", `{"inbox_token":"`+token+`"}`).want(t, 200)
	c.call(http.MethodPost, "/v4/inbox/cas", "", "x-inbox-token", token).want(t, 401, `"requires_reconnect":true`)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"javascript:alert(1)"}`).want(t, 400)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/","provider":"yahoo"}`).
		want(t, 400, `{"status":"failed","msg":"provider must be`)
	c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).want(t, 200, `"provider":"gmail"`)
}

func consent(t *testing.T, c *client, link string) *url.URL {
	t.Helper()
	a := c.as("").call(http.MethodGet, link, "")
	a.want(t, http.StatusFound)
	back, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestAnInboundAddressLivesFromCreateToDelete(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Accounts: []sandbox.Account{{APIKey: "sk_other_account_0001", Credits: 5}}})
	made := c.call(http.MethodPost, "/v4/inbound-email", `{"alias":"asha-cas","reference":"u1","allowed_sources":["cdsl","nsdl"],"metadata":{"plan":"x"}}`)
	made.want(t, 201, `"inbound_email_id":"ie_`, `"email":"asha-cas@`, `"status":"active"`, `"metadata":{"plan":"x"}`)
	one := "/v4/inbound-email/" + made.text("inbound_email_id")
	c.call(http.MethodPost, "/v4/inbound-email", `{"alias":"asha-cas"}`).want(t, 400, "taken")
	c.call(http.MethodGet, one, "").want(t, 200, `"reference":"u1"`)
	c.as(c.token("")).call(http.MethodGet, "/v4/inbound-email?limit=1", "").want(t, 200, `"total":1`, "asha-cas")
	other := c.as("sk_other_account_0001")
	other.call(http.MethodGet, one, "").want(t, 404)
	other.call(http.MethodGet, "/v4/inbound-email", "").want(t, 200, `"inbound_emails":[]`)

	deliver := "/_sandbox/inbound-email/" + made.text("inbound_email_id") + "/deliver"
	c.call(http.MethodGet, one+"/files", "").want(t, 200, `"files":[]`, `"count":0`, `"cursor":"0"`)
	c.call(http.MethodPost, deliver, "").want(t, 200, `"callback":"none"`, `"cas_type":"cdsl"`)
	c.call(http.MethodPost, deliver, `{"source":"nsdl"}`).want(t, 200)
	c.call(http.MethodPost, deliver, `{"source":"cams"}`).want(t, 422)
	c.call(http.MethodGet, one+"/files?limit=1", "").want(t, 200, `"cas_type":"cdsl"`, `"expires_in":1800`, `"cursor":"1"`)
	c.call(http.MethodGet, one+"/files?since=1", "").want(t, 200, `"count":1`, `"cas_type":"nsdl"`, `"cursor":"2"`)
	c.call(http.MethodGet, one+"/files?since=99", "").want(t, 200, `"count":0`, `"cursor":"2"`)
	c.call(http.MethodGet, one+"/files?since=x", "").want(t, 400)

	c.call(http.MethodDelete, one, "").want(t, 200, `"status":"success"`)
	c.call(http.MethodGet, one, "").want(t, 404)
	c.call(http.MethodPost, deliver, "").want(t, 404)
}

func TestAnAliasIsGivenOnceHoweverManyAskAtATime(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	create := func(alias string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v4/inbound-email", strings.NewReader(`{"alias":"`+alias+`"}`))
		r.Header.Set("x-api-key", key)
		w := httptest.NewRecorder()
		c.box.ServeHTTP(w, r)
		return w.Code
	}
	var made atomic.Int32
	var callers sync.WaitGroup
	const aliases = 600
	for range 8 {
		callers.Go(func() {
			for n := range aliases {
				if create(fmt.Sprintf("asha-%d", n)) == http.StatusCreated {
					made.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if n := made.Load(); n != aliases {
		t.Errorf("%d aliases were given %d times", aliases, n)
	}
}

func TestAnInboundAddressIsCheckedBeforeItIsMade(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, body := range []string{
		`{"alias":"a"}`, `{"alias":"-abc"}`, `{"allowed_sources":["bank"]}`, `{"callback_url":"http://far.example/hook"}`,
		`{"callback_url":"not a url"}`, `{"metadata":{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":"","11":""}}`, `[`,
	} {
		c.call(http.MethodPost, "/v4/inbound-email", body).want(t, 400, `"status":"failed"`)
	}
}

func TestACallbackIsSentAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	var last atomic.Value
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		last.Store(b)
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer app.Close()
	c := start(t, sandbox.Options{CallbackWait: time.Millisecond})
	made := c.call(http.MethodPost, "/v4/inbound-email", `{"reference":"u7","callback_url":"`+app.URL+`/hook"}`)
	deliver := "/_sandbox/inbound-email/" + made.text("inbound_email_id") + "/deliver"
	c.call(http.MethodPost, deliver, `{"source":"kfintech","from":"me@mail.example"}`).
		want(t, 200, `"callback":"delivered"`, `"attempts":3`, `"expires_in":172800`)

	var got struct {
		ID          string `json:"inbound_email_id"`
		ForwardedBy string `json:"forwarded_by"`
		Reference   string `json:"reference"`
		Count       int    `json:"count"`
		Files       []struct {
			URL     string `json:"url"`
			CASType string `json:"cas_type"`
		} `json:"files"`
	}
	if err := json.Unmarshal(last.Load().([]byte), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != made.text("inbound_email_id") || got.ForwardedBy != "me@mail.example" || got.Reference != "u7" ||
		got.Count != 1 || len(got.Files) != 1 || got.Files[0].CASType != "kfintech" {
		t.Fatalf("callback %+v", got)
	}
	c.call(http.MethodGet, got.Files[0].URL, "").want(t, 200, "%PDF-")

	app.Close()
	c.call(http.MethodPost, deliver, "").want(t, 200, `"callback":"failed"`, `"attempts":4`)
	far := c.call(http.MethodPost, "/v4/inbound-email", `{"callback_url":"https://far.example/hook"}`).text("inbound_email_id")
	c.call(http.MethodPost, "/_sandbox/inbound-email/"+far+"/deliver", "").want(t, 200, `"callback":"skipped"`)
}
