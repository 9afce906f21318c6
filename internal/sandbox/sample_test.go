package sandbox_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestEachFeatureHasItsPriceAndName(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now, Credits: 100})
	const identity = `{"pan":"ZZZPV0000A","bo_id":"9900000100000014","dob":"1990-01-15"}`
	const mail = `{"email":"asha@example.com","from_date":"2025-01-01","to_date":"2025-09-30","password":"p"}`
	session := func() string {
		return "/v4/cdsl/fetch/" + c.call(http.MethodPost, "/v4/cdsl/fetch", identity).text("session_id") + "/verify"
	}
	link := c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).text("oauth_url")
	inbox := openConsent(t, c, link).Query().Get("inbox_token")
	address := c.call(http.MethodPost, "/v4/inbound-email", "{}").text("inbound_email_id")
	pdf := func(path string, values ...string) func() answer {
		return func() answer { return c.upload(path, "pdf_file", "kfintech-cams.pdf", plain, values...) }
	}
	post := func(path, body string) func() answer {
		return func() answer { return c.call(http.MethodPost, path, body, "x-inbox-token", inbox) }
	}
	for _, tt := range []struct {
		name    string
		call    func() answer
		status  int
		charged string
	}{
		{"smart parse", pdf("/v4/smart/parse"), 200, "1"},
		{"one source", pdf("/v4/cams_kfintech/parse"), 200, "1"},
		{"another source", pdf("/v4/cdsl/parse"), 400, "0"},
		{"wrong password", pdf("/v4/smart/parse", "password", "wrong"), 400, "0"},
		{"contract note", pdf("/v4/contract_note/parse", "password", "p"), 200, "0.5"},
		{"contract note without a password", pdf("/v4/contract_note/parse"), 400, "0"},
		{"generate", post("/v4/generate", mail), 200, "0.5"},
		{"generate at the older path", post("/v4/kfintech/generate", mail), 200, "0.5"},
		{"invalid generate", post("/v4/generate", "{}"), 400, "0"},
		{"OTP", post("/v4/cdsl/fetch", identity), 200, "0"},
		{"right OTP", post(session(), `{"otp":"123456"}`), 200, "0.5"},
		{"wrong OTP", post(session(), `{"otp":"000000"}`), 400, "0"},
		{"connect", post("/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`), 200, "0"},
		{"inbox status", post("/v4/inbox/status", ""), 200, "0"},
		{"pull", post("/v4/inbox/cas", ""), 200, "0.2"},
		{"pull with an invalid date", post("/v4/inbox/cas", `{"end_date":"today"}`), 400, "0.2"},
		{"disconnect", post("/v4/inbox/disconnect", ""), 200, "0"},
		{"pull from a disconnected inbox", post("/v4/inbox/cas", ""), 401, "0.2"},
		{"files of an address", func() answer { return c.call(http.MethodGet, "/v4/inbound-email/"+address+"/files", "") }, 200, "0"},
		{"token", post("/v1/token", ""), 200, "0"},
		{"credits", post("/v1/credits", ""), 200, "0"},
		{"usage", post("/v1/usage", ""), 200, "0"},
	} {
		a := tt.call()
		if got := a.header.Get("X-Credits-Used"); a.status != tt.status || got != tt.charged {
			t.Errorf("%s: got %d and %s credits charged, want %d and %s: %.200s", tt.name, a.status, got, tt.status, tt.charged, a.raw)
		}
	}
	deliver := "/_sandbox/inbound-email/" + address + "/deliver"
	c.call(http.MethodPost, deliver, "").want(t, 200)

	verified := c.call(http.MethodPost, "/v1/token/verify", `{"access_token":"`+c.token("")+`"}`)
	verified.want(t, 200, `"valid":true`)
	credits := c.call(http.MethodPost, "/v1/credits", "")
	credits.want(t, 200, `"used":4.8,"remaining":95.2,"limit":100`, `"enabled_features":["smart_parser","cdsl_cas_parser","nsdl_cas_parser",`+
		`"cams_kfintech_cas_parser","contract_note_parser","kfintech_cas_generator","cdsl_cas_fetch","inbox_pull","inbox_connect",`+
		`"inbox_disconnect","inbox_status","inbound_email"]`)
	if got := credits.header.Get("X-Credits-Remaining"); got != "95.2" {
		t.Errorf("got X-Credits-Remaining %q, want 95.2", got)
	}
	c.call(http.MethodPost, "/v1/usage/summary", "").want(t, 200, `"total_requests":24,"total_credits":4.8,"by_feature":[`+
		`{"feature":"cams_kfintech_cas_parser","requests":1,"credits":1},`+
		`{"feature":"cdsl_cas_fetch","requests":5,"credits":0.5},`+
		`{"feature":"cdsl_cas_parser","requests":1,"credits":0},`+
		`{"feature":"contract_note_parser","requests":2,"credits":0.5},`+
		`{"feature":"inbound_email","requests":3,"credits":0.2},`+
		`{"feature":"inbox_connect","requests":2,"credits":0},`+
		`{"feature":"inbox_disconnect","requests":1,"credits":0},`+
		`{"feature":"inbox_pull","requests":3,"credits":0.6},`+
		`{"feature":"inbox_status","requests":1,"credits":0},`+
		`{"feature":"kfintech_cas_generator","requests":3,"credits":1},`+
		`{"feature":"smart_parser","requests":2,"credits":1}]`)
}

func TestPublicKeyGetsASampleWhateverIsSent(t *testing.T) {
	t.Parallel()
	public := func() *client {
		return start(t, sandbox.Options{ParseDelay: time.Hour}).as(sandbox.PublicKey)
	}
	for _, tt := range []struct {
		method, path string
		status       int
		want         string
	}{
		{http.MethodPost, "/v1/token", 200, `"expires_in":3600`},
		{http.MethodPost, "/v1/access-token", 200, `"access_token":"at_`},
		{http.MethodPost, "/v1/token/verify", 200, `"valid":true`},
		{http.MethodPost, "/v1/verify-token", 200, `"valid":true`},
		{http.MethodPost, "/v1/credits", 200, `"used":0`},
		{http.MethodPost, "/v1/usage", 200, `"logs":[]`},
		{http.MethodPost, "/v1/usage/summary", 200, `"total_credits":0`},
		{http.MethodPost, "/v4/smart/parse", 200, `"cas_type":"CDSL"`},
		{http.MethodPost, "/v4/cdsl/parse", 200, `"cas_type":"CDSL"`},
		{http.MethodPost, "/v4/nsdl/parse", 200, `"cas_type":"NSDL"`},
		{http.MethodPost, "/v4/cams_kfintech/parse", 200, `"cas_type":"CAMS_KFINTECH"`},
		{http.MethodPost, "/v4/contract_note/parse", 200, `"contract_note_info"`},
		{http.MethodPost, "/v4/generate", 200, `"status":"success"`},
		{http.MethodPost, "/v4/kfintech/generate", 200, `"status":"success"`},
		{http.MethodPost, "/v4/cdsl/fetch", 200, `"session_id":"cs_`},
		{http.MethodPost, "/v4/cdsl/fetch/any/verify", 200, `"files":[{"filename":"cdsl_`},
		{http.MethodPost, "/v4/inbox/connect", 200, `"oauth_url":"http`},
		{http.MethodPost, "/v4/inbox/status", 200, `"connected":true`},
		{http.MethodPost, "/v4/inbox/cas", 200, `"count":4`},
		{http.MethodPost, "/v4/inbox/disconnect", 200, `"status":"success"`},
		{http.MethodPost, "/v4/inbound-email", 201, `"inbound_email_id":"ie_`},
		{http.MethodGet, "/v4/inbound-email?limit=x", 200, `"total":1`},
		{http.MethodGet, "/v4/inbound-email/any", 200, `"status":"active"`},
		{http.MethodDelete, "/v4/inbound-email/any", 200, `"status":"success"`},
		{http.MethodGet, "/v4/inbound-email/any/files?since=x", 200, `"received_at":"`},
	} {
		c := public()
		for _, body := range []string{"", "{", `{"expiry_minutes":"x","pdf_file":"!!","password":"wrong","pan":1,"redirect_uri":"x","alias":"-","limit":0}`} {
			a := c.call(tt.method, tt.path, body)
			if a.status != tt.status || !strings.Contains(string(a.raw), tt.want) {
				t.Errorf("%s %s with %q: got %d %.200s, want %d and %s", tt.method, tt.path, body, a.status, a.raw, tt.status, tt.want)
			}
		}
	}
	c := public()
	widget := c.as(c.token(`{"expiry_minutes":5}`))
	widget.upload("/v4/smart/parse", "pdf_file", "a.pdf", []byte("not a PDF"), "password", "wrong").want(t, 200, "Asha Verma")
	files := widget.call(http.MethodPost, "/v4/inbox/cas", "")
	link := files.body["files"].([]any)[0].(map[string]any)["url"].(string)
	c.call(http.MethodGet, link, "").want(t, 200, "%PDF-")
}

func TestParseAnswersSayWhenTheyWereGenerated(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	parse := func() answer { return c.upload("/v4/smart/parse", "pdf_file", "a.pdf", plain) }
	first := parse()
	first.want(t, 200, `"generated_at":"2025-10-20T09:30:00.000000Z"`)
	if again := parse(); !bytes.Equal(first.raw, again.raw) {
		t.Error("got two answers at one instant that differ")
	}
	now.move(1234 * time.Microsecond)
	later := parse()
	later.want(t, 200, `"generated_at":"2025-10-20T09:30:00.001234Z"`)
	generated := regexp.MustCompile(`"generated_at":"([^"]*)"`)
	if !bytes.Equal(generated.ReplaceAll(first.raw, nil), generated.ReplaceAll(later.raw, nil)) {
		t.Error("got answers that differ in more than generated_at")
	}
	today := start(t, sandbox.Options{}).upload("/v4/smart/parse", "pdf_file", "a.pdf", plain)
	at, err := time.Parse(time.RFC3339, string(generated.FindSubmatch(today.raw)[1]))
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("got generated_at %v, %v; want the current time", at, err)
	}
}

func TestPersonaGetsStatementsInItsName(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	c.as("").call(http.MethodGet, "/_sandbox/personas", "").want(t, 200, `{"personas":[{"id":"asha","name":"Asha Verma","pan":"ZZZPV0000A"`)
	for i, p := range sandbox.Personas() {
		if !isFictionalPAN(p.PAN) {
			t.Errorf("got PAN %q, which may belong to a person", p.PAN)
		}
		identity := `{"pan":"` + p.PAN + `","bo_id":"` + p.BOID + `","dob":"` + p.DOB + `"}`
		session := c.call(http.MethodPost, "/v4/cdsl/fetch", identity).text("session_id")
		fetched := c.call(http.MethodPost, "/v4/cdsl/fetch/"+session+"/verify", `{"otp":"`+p.OTP+`","num_periods":1}`)
		fetched.want(t, 200)
		link := fetched.body["files"].([]any)[0].(map[string]any)["url"].(string)
		a := c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`","password":"`+p.Password+`"}`)
		a.want(t, 200, p.Name, p.Email, `"bo_id":"`+p.BOID+`"`, `"pan":"`+p.PAN[:2]+`XXXXXX`+p.PAN[8:]+`"`, `"cas_type":"CDSL"`)
		if other := sandbox.Personas()[(i+1)%3]; bytes.Contains(a.raw, []byte(other.Name)) || bytes.Contains(a.raw, []byte(other.BOID)) {
			t.Errorf("the statement of %s has details of %s", p.Name, other.Name)
		}
		pdf := c.call(http.MethodGet, "/_sandbox/samples/"+p.ID+"-cams.pdf", "")
		pdf.want(t, 200, "%PDF-", p.Name, "Period: 2026-04-01 to 2026-09-30", "Total value: INR ")
		c.upload("/v4/smart/parse", "pdf_file", "statement.pdf", pdf.raw, "password", p.Password).want(t, 200, p.Name, `"pan":"`+p.PAN+`"`, "CAMS")
		c.upload("/v4/smart/parse", "pdf_file", p.ID+"-nsdl.pdf", plain).want(t, 200, p.Name, `"cas_type":"NSDL"`)
	}
	c.call(http.MethodPost, "/v4/cdsl/fetch", `{"pan":"ZZZPV0000A","bo_id":"9900000200000027","dob":"1990-01-15"}`).want(t, 400, "not those of one investor")
	c.call(http.MethodPost, "/v4/cdsl/fetch", `{"pan":"ZZZPV0000A","bo_id":"9900000100000014","dob":"1990-01-16"}`).want(t, 400)
	c.call(http.MethodPost, "/v4/cdsl/fetch", `{"pan":"ZZZPZ0000Z","bo_id":"9900000100000099","dob":"1990-01-16"}`).want(t, 200)
	c.call(http.MethodGet, "/_sandbox/samples/nobody-cdsl.pdf", "").want(t, 404)
}

func TestPersonasMailIsInItsName(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	link := c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/"}`).text("oauth_url")
	c.call(http.MethodGet, link+"?as=nobody", "").want(t, 400, "/_sandbox/personas")
	redirect := openConsent(t, c, link+"?as=rohan").Query()
	if got := redirect.Get("email"); got != "rohan@example.com" {
		t.Errorf("got email %q, want rohan@example.com", got)
	}
	pulled := c.call(http.MethodPost, "/v4/inbox/cas", "", "x-inbox-token", redirect.Get("inbox_token"))
	address := c.call(http.MethodPost, "/v4/inbound-email", "{}").text("inbound_email_id")
	deliver := "/_sandbox/inbound-email/" + address + "/deliver"
	c.call(http.MethodPost, deliver, `{"investor":"nobody"}`).want(t, 400, "/_sandbox/personas")
	c.call(http.MethodPost, deliver, `{"source":"kfintech","investor":"rohan"}`).want(t, 200)
	mailed := c.call(http.MethodGet, "/v4/inbound-email/"+address+"/files", "")
	for _, a := range []answer{pulled, mailed} {
		for _, f := range a.body["files"].([]any) {
			c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+f.(map[string]any)["url"].(string)+`"}`).want(t, 200, "Rohan Iyer")
		}
	}
}
