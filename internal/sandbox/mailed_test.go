package sandbox_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"casbroker/internal/sandbox"
)

const request = `{"email":"%","from_date":"2020-01-01","to_date":"2026-01-01","password":"secret1","pan_no":"ZZZPI0000B"}`

func TestRequestedStatementIsForwardedFromTheMailbox(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	address := c.call(http.MethodPost, "/v4/inbound-email", `{}`)
	c.call(http.MethodPost, "/v4/generate", strings.Replace(request, "%", "rohan@example.com", 1)).want(t, 200, "mailed")
	page := c.call(http.MethodGet, "/_sandbox/mailbox", "")
	page.want(t, 200, "rohan@example.com", "KFINTECH", address.text("email"))
	id := regexp.MustCompile(`value="(mail_[a-z0-9]+)"`).FindSubmatch(page.raw)
	if id == nil {
		t.Fatalf("got %s, want a mail", page.raw)
	}
	forward := func(to string) answer {
		form := url.Values{"mail": {string(id[1])}, "to": {to}}.Encode()
		a, err := c.send(http.MethodPost, "/_sandbox/mailbox", "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	forward("nobody@import.casparser.example").want(t, 200, "no such forwarding address")
	files := "/v4/inbound-email/" + address.text("inbound_email_id") + "/files"
	c.call(http.MethodGet, files, "").want(t, 200, `"count":0`)
	forward(address.text("email")).want(t, 200, "Forwarded to")
	got := c.call(http.MethodGet, files, "")
	got.want(t, 200, `"count":1`, `"cas_type":"kfintech"`)
	link := got.body["files"].([]any)[0].(map[string]any)["url"].(string)
	c.call(http.MethodPost, "/v4/smart/parse", `{"pdf_url":"`+link+`"}`).want(t, 200, "Rohan Iyer")
}

func TestStatementRequestedForAForwardingAddressArrivesThere(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	address := c.call(http.MethodPost, "/v4/inbound-email", `{}`)
	c.call(http.MethodPost, "/v4/generate", strings.Replace(request, "%", address.text("email"), 1)).want(t, 200)
	c.call(http.MethodGet, "/v4/inbound-email/"+address.text("inbound_email_id")+"/files", "").want(t, 200, `"count":1`)
	c.call(http.MethodGet, "/_sandbox/mailbox", "").want(t, 200, "No mail yet")
}

func TestBrowserIsAskedForItsConsent(t *testing.T) {
	t.Parallel()
	c := start(t, sandbox.Options{})
	link := c.call(http.MethodPost, "/v4/inbox/connect", `{"redirect_uri":"https://app.example/back","state":"s","provider":"zoho"}`).text("oauth_url")
	visit := func(query string) answer {
		a, err := c.send(http.MethodGet, link+query, "", nil, "Accept", "text/html,*/*;q=0.8")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for range 2 { // asking decides nothing
		visit("").want(t, 200, "Zoho Mail", "Meera Nair", `name="deny"`)
	}
	a := visit("?as=meera")
	a.want(t, 302)
	if to := a.header.Get("Location"); !strings.Contains(to, "meera%40example.com") || !strings.Contains(to, "state=s") {
		t.Errorf("got the redirect %s, want one with Meera's mailbox", to)
	}
	visit("").want(t, 404)
}
