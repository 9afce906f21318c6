package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/sandbox"
)

func TestInboundAddressIsCreatedListedAndDeleted(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{Accounts: []sandbox.Account{{APIKey: "sk_other_account_0001", Credits: 5}}})
	created := c.call(http.MethodPost, "/v4/inbound-email", `{"alias":"asha-cas","reference":"u1","allowed_sources":["cdsl","nsdl"],"metadata":{"plan":"x"}}`)
	created.want(t, 201, `"inbound_email_id":"ie_`, `"email":"asha-cas@`, `"status":"active"`, `"metadata":{"plan":"x"}`)
	one := "/v4/inbound-email/" + created.text("inbound_email_id")
	c.call(http.MethodPost, "/v4/inbound-email", `{"alias":"asha-cas"}`).want(t, 400, "taken")
	c.call(http.MethodGet, one, "").want(t, 200, `"reference":"u1"`)
	c.as(c.token("")).call(http.MethodGet, "/v4/inbound-email?limit=1", "").want(t, 200, `"total":1`, "asha-cas")
	other := c.as("sk_other_account_0001")
	other.call(http.MethodGet, one, "").want(t, 404)
	other.call(http.MethodGet, "/v4/inbound-email", "").want(t, 200, `"inbound_emails":[]`)

	deliver := "/_sandbox/inbound-email/" + created.text("inbound_email_id") + "/deliver"
	c.call(http.MethodGet, one+"/files", "").want(t, 200, `"files":[]`, `"count":0`, `"cursor":null`)
	c.call(http.MethodPost, deliver, "").want(t, 200, `"callback":"none"`, `"cas_type":"cdsl"`)
	c.call(http.MethodPost, deliver, `{"source":"nsdl"}`).want(t, 200)
	c.call(http.MethodPost, deliver, `{"source":"cams"}`).want(t, 422)
	page := c.call(http.MethodGet, one+"/files?limit=1", "")
	page.want(t, 200, `"count":1`, `"cas_type":"cdsl"`, `"expires_in":1800`)
	page = c.call(http.MethodGet, one+"/files?since="+page.text("cursor"), "")
	page.want(t, 200, `"count":1`, `"cas_type":"nsdl"`)
	c.call(http.MethodGet, one+"/files?since="+page.text("cursor"), "").want(t, 200, `"count":0`, `"cursor":null`)

	c.call(http.MethodDelete, one, "").want(t, 200, `"status":"success"`)
	c.call(http.MethodGet, one, "").want(t, 404)
	c.call(http.MethodPost, deliver, "").want(t, 404)
}

func TestFilesAreListedAfterATimestamp(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	id := c.call(http.MethodPost, "/v4/inbound-email", "{}").text("inbound_email_id")
	files := "/v4/inbound-email/" + id + "/files"
	now.move(123456789 * time.Nanosecond)
	for range 3 { // at one instant
		c.call(http.MethodPost, "/_sandbox/inbound-email/"+id+"/deliver", "").want(t, 200)
	}
	first := c.call(http.MethodGet, files+"?limit=1", "")
	first.want(t, 200, `"received_at":"2025-10-20T09:30:00.123456Z"`, `"cursor":"2025-10-20T09:30:00.123456Z"`, `"message_date":"2025-10-20T09:30:00Z"`)
	second := c.call(http.MethodGet, files+"?limit=1&since="+first.text("cursor"), "")
	second.want(t, 200, `"received_at":"2025-10-20T09:30:00.123457Z"`)
	for since, count := range map[string]string{
		"": "3", "2025-10-20T09:30:00Z": "3", "2025-10-20T09:30:00.123455": "3", "2025-10-20T15:00:00.123457%2B05:30": "1",
		"2025-10-20T09:30:00.123458Z": "0", "2030-01-01T00:00:00Z": "0",
	} {
		c.call(http.MethodGet, files+"?since="+since, "").want(t, 200, `"count":`+count)
	}
	for _, query := range []string{"?since=1", "?since=2025-10-20", "?limit=0", "?limit=51", "?limit=x"} {
		c.call(http.MethodGet, files+query, "").want(t, 400, `"status":"failed"`)
	}
	for range 19 {
		c.call(http.MethodPost, "/_sandbox/inbound-email/"+id+"/deliver", "").want(t, 200)
	}
	c.call(http.MethodGet, files, "").want(t, 200, `"count":20`)
	c.call(http.MethodGet, files+"?limit=50", "").want(t, 200, `"count":22`)
}

func TestAddressLivesWhileItIsPolledOrTwoDaysWithACallback(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := start(t, sandbox.Options{Now: now.Now})
	create := func(body string) (answer, string) {
		a := c.call(http.MethodPost, "/v4/inbound-email", body)
		return a, "/v4/inbound-email/" + a.text("inbound_email_id")
	}
	polled, one := create(`{"alias":"polled"}`)
	polled.want(t, 201, `"expires_in":1800`)
	called, other := create(`{"callback_url":"https://app.example/hook"}`)
	called.want(t, 201, `"expires_in":172800`)
	for range 3 {
		now.move(29 * time.Minute)
		c.call(http.MethodGet, one+"/files", "").want(t, 200)
	}
	now.move(29 * time.Minute)
	c.call(http.MethodGet, one, "").want(t, 200, `"expires_in":60`)
	now.move(time.Minute)
	c.call(http.MethodGet, one+"/files", "").want(t, 404)
	c.call(http.MethodPost, "/_sandbox"+strings.TrimPrefix(one, "/v4")+"/deliver", "").want(t, 404)
	c.call(http.MethodGet, "/v4/inbound-email", "").want(t, 200, `"total":1`)
	again, _ := create(`{"alias":"polled"}`)
	again.want(t, 201)
	now.move(46*time.Hour + 2*time.Minute)
	c.call(http.MethodGet, other+"/files", "").want(t, 200)
	c.call(http.MethodGet, other, "").want(t, 200, `"expires_in":60`)
	now.move(time.Minute)
	c.call(http.MethodGet, other, "").want(t, 404)
}

func TestAddressListHasPagesOfOneToAHundred(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, alias := range []string{"one", "two", "three"} {
		c.call(http.MethodPost, "/v4/inbound-email", `{"alias":"`+alias+`","reference":"`+strings.Repeat("é", 256)+`"}`).want(t, 201)
	}
	c.call(http.MethodGet, "/v4/inbound-email?status=active&limit=1&offset=1", "").want(t, 200, `"total":3,"limit":1,"offset":1`, `"email":"two@`)
	c.call(http.MethodGet, "/v4/inbound-email?status=paused", "").want(t, 200, `"inbound_emails":[],"total":0`)
	c.call(http.MethodGet, "/v4/inbound-email?limit=100&offset=9", "").want(t, 200, `"inbound_emails":[],"total":3`)
	for _, query := range []string{"limit=0", "limit=101", "offset=-1", "offset=x"} {
		c.call(http.MethodGet, "/v4/inbound-email?"+query, "").want(t, 400, `"status":"failed"`)
	}
}

func TestConcurrentCallsCannotTakeTheSameAlias(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{RateLimit: sandbox.Unlimited})
	create := func(alias string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v4/inbound-email", strings.NewReader(`{"alias":"`+alias+`"}`))
		r.Header.Set("x-api-key", key)
		w := httptest.NewRecorder()
		c.vendor.ServeHTTP(w, r)
		return w.Code
	}
	var created atomic.Int32
	var callers sync.WaitGroup
	const aliases = 600
	for range 8 {
		callers.Go(func() {
			for n := range aliases {
				if create(fmt.Sprintf("asha-%d", n)) == http.StatusCreated {
					created.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if n := created.Load(); n != aliases {
		t.Errorf("got %d addresses created for %d aliases, want as many", n, aliases)
	}
}

func TestInvalidInboundAddressIsRejected(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	for _, body := range []string{
		`{"alias":"a"}`, `{"alias":"-abc"}`, `{"allowed_sources":["bank"]}`, `{"callback_url":"http://far.example/hook"}`,
		`{"callback_url":"not a url"}`, `{"reference":"` + strings.Repeat("r", 257) + `"}`, `{"metadata":{"plan":1}}`, `{"alias":"a` + strings.Repeat("b", 32) + `"}`, `{"metadata":{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":"","11":""}}`, `[`,
	} {
		c.call(http.MethodPost, "/v4/inbound-email", body).want(t, 400, `"status":"failed"`)
	}
}

func TestCallbackIsRetriedUntilItSucceeds(t *testing.T) {
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
	created := c.call(http.MethodPost, "/v4/inbound-email", `{"reference":"u7","callback_url":"`+app.URL+`/hook"}`)
	deliver := "/_sandbox/inbound-email/" + created.text("inbound_email_id") + "/deliver"
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
	if got.ID != created.text("inbound_email_id") || got.ForwardedBy != "me@mail.example" || got.Reference != "u7" ||
		got.Count != 1 || len(got.Files) != 1 || got.Files[0].CASType != "kfintech" {
		t.Fatalf("got callback %+v", got)
	}
	c.call(http.MethodGet, got.Files[0].URL, "").want(t, 200, "%PDF-")
	if b := last.Load().([]byte); strings.Contains(string(b), "received_at") {
		t.Errorf("got callback %s, want it without received_at", b)
	}

	app.Close()
	c.call(http.MethodPost, deliver, "").want(t, 200, `"callback":"failed"`, `"attempts":4`)
	remote := c.call(http.MethodPost, "/v4/inbound-email", `{"callback_url":"https://far.example/hook"}`).text("inbound_email_id")
	c.call(http.MethodPost, "/_sandbox/inbound-email/"+remote+"/deliver", "").want(t, 200, `"callback":"skipped"`)
}
