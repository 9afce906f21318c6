package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// allFeatures allows every call of the gateway.
func allFeatures(c *config.Config) {
	c.Token.Mode = config.ModeGateway
	c.Gateway.Features = config.GatewayFeatures()
	c.Gateway.RedirectHosts = []string{"app.example"}
	c.RateLimit.Upload = config.Limits{}
	c.RateLimit.Read = config.Limits{}
}

// gatewayCaller is a page of a user, who has a gateway token.
type gatewayCaller struct {
	url, token string
}

func (b *broker) page(t *testing.T, who string) gatewayCaller {
	t.Helper()
	return gatewayCaller{b.URL + "/gateway", b.gatewayToken(t, who, "").AccessToken}
}

// on returns the same page with another replica.
func (p gatewayCaller) on(b *broker) gatewayCaller { return gatewayCaller{b.URL + "/gateway", p.token} }

// call makes a call of the vendor's API. header holds pairs.
func (p gatewayCaller) call(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", p.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, http.DefaultClient, req)
}

// twoReplicas runs test with two brokers that share a PostgreSQL and a Redis, and with one
// that is restarted on its SQLite file; then second is the new one.
func twoReplicas(t *testing.T, test func(t *testing.T, vendor *sandbox.Sandbox, first *broker, second func() *broker)) {
	t.Helper()
	t.Run("replica", func(t *testing.T) {
		t.Parallel()
		settings, vendor := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
		allFeatures(&settings)
		test(t, vendor, start(t, settings), func() *broker { return start(t, settings) })
	})
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		settings, vendor := gatewaySettings(t)
		allFeatures(&settings)
		first := start(t, settings)
		test(t, vendor, first, func() *broker {
			if err := first.stop(); err != nil {
				t.Fatal(err)
			}
			return start(t, settings)
		})
	})
}

// otherIDs are ids that were never given out, and texts that are none.
var otherIDs = []string{"cs_01kf0a6v3m9t2w8x4y5z7b1c2d", "x", "..", "%2e%2e", "a%2fb", "a;b", "a%20b", "a.b", strings.Repeat("a", 129), "%00", "ä"}

func TestOTPSessionsAreTheirUsersOwn(t *testing.T) {
	t.Parallel()
	twoReplicas(t, func(t *testing.T, vendor *sandbox.Sandbox, first *broker, second func() *broker) {
		asha, rohan := first.page(t, "asha"), first.page(t, "rohan")
		a := asha.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"ABCDE1234F","bo_id":"1234567890123456","dob":"1990-01-31"}`).must(t, 200)
		var session struct {
			ID string `json:"session_id"`
		}
		a.decode(t, &session)
		asha.call(t, "POST", "/v4/cdsl/fetch", `{"pan":"x"}`).mustFail(t, 400, "")
		path := "/v4/cdsl/fetch/" + session.ID + "/verify"
		rohan.call(t, "POST", path, `{"otp":"`+sandbox.OTP+`"}`).mustFail(t, 404, "NOT_FOUND")

		b := second()
		rohan.on(b).call(t, "POST", path, `{"otp":"`+sandbox.OTP+`"}`).mustFail(t, 404, "NOT_FOUND")
		for _, id := range otherIDs {
			asha.on(b).call(t, "POST", "/v4/cdsl/fetch/"+id+"/verify", `{"otp":"`+sandbox.OTP+`"}`).mustFail(t, 404, "NOT_FOUND")
		}
		if n := vendor.Calls(path); n != 0 {
			t.Errorf("the vendor got %d calls for another user", n)
		}
		if v := asha.on(b).call(t, "POST", path, `{"otp":"`+sandbox.OTP+`"}`).must(t, 200); !strings.Contains(v.body, `"files":[{`) {
			t.Errorf("got %s", v.body)
		}
	})
}

func TestStatementIsMailedThroughTheGateway(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	allFeatures(&settings)
	asha := start(t, settings).page(t, "asha")
	body := `{"email":"asha@mail.example","from_date":"2026-01-01","to_date":"2026-03-31","password":"Abcdef12#"}`
	for _, path := range []string{"/v4/generate", "/v4/kfintech/generate"} {
		asha.call(t, "POST", path, body).must(t, 200)
		if n := vendor.Calls(path); n != 1 {
			t.Errorf("%s: the vendor got %d calls", path, n)
		}
	}
	asha.call(t, "POST", "/v4/generate", strings.Repeat(" ", 65<<10)).mustFail(t, 413, "FILE_TOO_LARGE")
}

func TestFeaturesOfCallsAreOffByDefault(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	asha := start(t, settings).page(t, "asha")
	for call, path := range map[string]string{
		"POST ": "/v4/inbox/connect", "POST": "/v4/cdsl/fetch", "POST  ": "/v4/generate", "GET": "/v4/inbound-email", "GET ": "/inbox/callback",
	} {
		asha.call(t, strings.TrimSpace(call), path, "").mustFail(t, 404, "NOT_FOUND")
		if vendor.Calls(path) != 0 {
			t.Errorf("%s reached the vendor", path)
		}
	}
}

// address is a forwarding address as the vendor shows it.
type address struct {
	ID        string            `json:"inbound_email_id"`
	Reference string            `json:"reference"`
	Metadata  map[string]string `json:"metadata"`
}

func (p gatewayCaller) createAddress(t *testing.T) (a address) {
	t.Helper()
	p.call(t, "POST", "/v4/inbound-email", `{"reference":"app:rohan","metadata":{"flow":"onboarding"},"allowed_sources":["cdsl"],"x":1}`).must(t, 201).decode(t, &a)
	return a
}

// addresses is a page of a list.
type addresses struct {
	List   []address `json:"inbound_emails"`
	Total  int       `json:"total"`
	Limit  int       `json:"limit"`
	Offset int       `json:"offset"`
}

func (p gatewayCaller) list(t *testing.T, query string) (a addresses) {
	t.Helper()
	p.call(t, "GET", "/v4/inbound-email"+query, "").must(t, 200).decode(t, &a)
	return a
}

func TestForwardingAddressesAreTheirUsersOwn(t *testing.T) {
	t.Parallel()
	twoReplicas(t, func(t *testing.T, vendor *sandbox.Sandbox, first *broker, second func() *broker) {
		asha, rohan := first.page(t, "asha"), first.page(t, "rohan")
		var own []address
		for range 3 {
			own = append(own, asha.createAddress(t))
		}
		other := rohan.createAddress(t)
		if own[0].Reference != own[1].Reference || own[0].Reference == other.Reference || len(own[0].Reference) < 40 ||
			strings.Contains(own[0].Reference, "asha") || own[0].Metadata["flow"] != "onboarding" {
			t.Errorf("got %+v and %+v", own, other)
		}
		b := second()
		asha, rohan = asha.on(b), rohan.on(b)
		for _, id := range append([]string{own[0].ID}, otherIDs...) {
			for _, c := range [][2]string{{"GET", ""}, {"GET", "/files"}, {"DELETE", ""}} {
				rohan.call(t, c[0], "/v4/inbound-email/"+id+c[1], "").mustFail(t, 404, "NOT_FOUND")
			}
		}
		if path := "/v4/inbound-email/" + own[0].ID; vendor.Calls(path)+vendor.Calls(path+"/files") != 0 {
			t.Error("the vendor was called for another user")
		}
		if got := rohan.list(t, ""); got.Total != 1 || len(got.List) != 1 || got.List[0].ID != other.ID {
			t.Errorf("got %+v, want the address of rohan", got)
		}
		if got := asha.list(t, "?limit=2&offset=1&status=active"); got.Total != 3 || len(got.List) != 2 || got.List[0].ID != own[1].ID ||
			got.List[1].ID != own[2].ID || got.Limit != 2 || got.Offset != 1 {
			t.Errorf("got %+v, want the second and third address", got)
		}
		if got := asha.list(t, "?status=paused"); got.Total != 0 || got.List == nil {
			t.Errorf("got %+v, want an empty list", got)
		}
		for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?offset=-1"} {
			asha.call(t, "GET", "/v4/inbound-email"+query, "").mustFail(t, 400, "")
		}
		var one address
		asha.call(t, "GET", "/v4/inbound-email/"+own[0].ID, "").must(t, 200).decode(t, &one)
		if one.ID != own[0].ID {
			t.Errorf("got %+v", one)
		}
		asha.call(t, "GET", "/v4/inbound-email/"+own[0].ID+"/files?limit=5", "").must(t, 200)
		asha.call(t, "GET", "/v4/inbound-email/"+own[0].ID+"/files?limit=x", "").mustFail(t, 400, "")
		asha.call(t, "DELETE", "/v4/inbound-email/"+own[0].ID, "").must(t, 200)
		asha.call(t, "DELETE", "/v4/inbound-email/"+own[0].ID, "").mustFail(t, 404, "NOT_FOUND")
		if got := asha.list(t, ""); got.Total != 2 {
			t.Errorf("got %+v after a deletion", got)
		}
	})
}

func TestCallbacksGoToConfiguredHostsOnly(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	allFeatures(&settings)
	none := start(t, settings).page(t, "asha")
	none.call(t, "POST", "/v4/inbound-email", `{"callback_url":"https://app.example/mail"}`).mustFail(t, 400, "CALLBACK_NOT_ALLOWED")
	settings.Gateway.CallbackHosts = []string{"app.example"}
	asha := start(t, settings).page(t, "asha")
	for _, bad := range []string{
		"https://evil.example", "http://app.example/", "https://app.example:8443/", "https://app.example@evil.example/", "//app.example/",
		"https://app.example.evil.example/", "https://u:p@app.example/", "app.example", "https://evil.example/?https://app.example/",
	} {
		asha.call(t, "POST", "/v4/inbound-email", fmt.Sprintf(`{"callback_url":%q}`, bad)).mustFail(t, 400, "CALLBACK_NOT_ALLOWED")
	}
	for _, body := range []string{`[]`, `{"callback_url":1}`, `{"a":`, `{"alias":"a","alias":"b"}`} {
		asha.call(t, "POST", "/v4/inbound-email", body).mustFail(t, 400, "INVALID_JSON")
	}
	if n := vendor.Calls("/v4/inbound-email"); n != 0 {
		t.Errorf("the vendor got %d calls", n)
	}
	a := asha.call(t, "POST", "/v4/inbound-email", `{"callback_url":"https://APP.example/mail?x=1"}`).must(t, 201)
	if !strings.Contains(strings.ToLower(a.body), `"callback_url":"https://app.example/mail?x=1"`) {
		t.Errorf("got %s", a.body)
	}
}

func TestUserHasABoundedNumberOfAddresses(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	allFeatures(&settings)
	asha := start(t, settings).page(t, "asha")
	for range 10 {
		asha.createAddress(t)
	}
	asha.call(t, "POST", "/v4/inbound-email", "{}").mustFail(t, 400, "TOO_MANY_ADDRESSES")
	// One that the vendor no longer has does not count.
	gone := asha.list(t, "").List[0].ID
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, settings.Upstream.URL+"/v4/inbound-email/"+gone, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", apiKey)
	send(t, http.DefaultClient, req).must(t, 200)
	asha.createAddress(t)
	asha.call(t, "GET", "/v4/inbound-email/"+gone, "").mustFail(t, 404, "NOT_FOUND")
}

// connect begins the connection of a mailbox and returns where the browser comes back to
// after the user's consent at the vendor, which answers with query.
func (p gatewayCaller) connect(t *testing.T, redirect, query string) *url.URL {
	t.Helper()
	a := p.call(t, "POST", "/v4/inbox/connect", fmt.Sprintf(`{"redirect_uri":%q,"state":"of the page","provider":"gmail"}`, redirect)).must(t, 200)
	var made struct {
		OAuthURL string `json:"oauth_url"`
	}
	a.decode(t, &made)
	return redirected(t, made.OAuthURL+query)
}

// redirected returns where address redirects to.
func redirected(t *testing.T, address string) *url.URL {
	t.Helper()
	a := get(t, address)
	target, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound {
		t.Fatalf("got %d %v: %s", a.status, err, a.body)
	}
	return target
}

// get requests address and follows no redirect.
func get(t *testing.T, address string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return send(t, &client, req)
}

// inboxCalls are the calls that need a handle.
var inboxCalls = []string{"/v4/inbox/status", "/v4/inbox/cas", "/v4/inbox/disconnect"}

func TestMailboxesAreTheirUsersOwn(t *testing.T) {
	t.Parallel()
	twoReplicas(t, func(t *testing.T, vendor *sandbox.Sandbox, first *broker, second func() *broker) {
		asha, rohan := first.page(t, "asha"), first.page(t, "rohan")
		callback := asha.connect(t, "https://app.example/import?step=2", "")
		token := callback.Query().Get("inbox_token")
		if !strings.HasPrefix(callback.String(), first.URL+"/gateway/inbox/callback?") || token == "" || callback.Query().Get("state") == "of the page" {
			t.Fatalf("the vendor redirects to %s", callback)
		}
		b := second()
		callback.Host = strings.TrimPrefix(b.URL, "http://") // the restarted one has another port
		page := redirected(t, callback.String())
		got := page.Query()
		handle := got.Get("inbox_token")
		if page.Host != "app.example" || page.Path != "/import" || got.Get("step") != "2" || got.Get("state") != "of the page" ||
			got.Get("email") == "" || !strings.HasPrefix(handle, "ibt_") || strings.Contains(page.String(), token) {
			t.Fatalf("the page got %s", page)
		}
		if again := get(t, callback.String()).mustFail(t, 400, "NO_CONNECTION"); strings.Contains(again.body, token) {
			t.Errorf("got %s", again.body)
		}
		asha, rohan = asha.on(b), rohan.on(b)
		for _, path := range inboxCalls {
			before := vendor.Calls(path)
			for _, foreign := range []string{handle, "", token, handle + "A", "ibt_", strings.ToUpper(handle)} {
				a := rohan.call(t, "POST", path, "{}", "X-Inbox-Token", foreign).mustFail(t, 401, "INBOX_NOT_CONNECTED")
				if !strings.Contains(a.body, `"requires_reconnect":true`) {
					t.Errorf("got %s", a.body)
				}
			}
			asha.call(t, "POST", path, "{}", "X-Inbox-Token", token).mustFail(t, 401, "INBOX_NOT_CONNECTED")
			if vendor.Calls(path) != before {
				t.Errorf("%s: the vendor was called for another user", path)
			}
		}
		for _, path := range inboxCalls {
			asha.call(t, "POST", path, "{}", "X-Inbox-Token", handle).must(t, 200)
		}
		asha.call(t, "POST", "/v4/inbox/status", "{}", "X-Inbox-Token", handle).mustFail(t, 401, "INBOX_NOT_CONNECTED")
		for _, log := range []string{first.log.String(), b.log.String()} {
			if strings.Contains(log, token) || strings.Contains(log, handle) {
				t.Error("the log has a token or a handle")
			}
		}
	})
}

func TestMailboxesAreConnectedFromConfiguredPagesOnly(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	allFeatures(&settings)
	settings.Server.PublicURL = "https://broker.example"
	b := start(t, settings)
	asha := b.page(t, "asha")
	for _, bad := range []string{"", "https://evil.example/", "http://app.example/", "https://app.example@evil.example/", "javascript:alert(1)", `https://app.example\@evil.example/`} {
		asha.call(t, "POST", "/v4/inbox/connect", fmt.Sprintf(`{"redirect_uri":%q}`, bad)).mustFail(t, 400, "REDIRECT_NOT_ALLOWED")
	}
	if n := vendor.Calls("/v4/inbox/connect"); n != 0 {
		t.Errorf("the vendor got %d calls", n)
	}
	denied := asha.connect(t, "https://app.example/", "?deny=1")
	if denied.Host != "broker.example" || denied.Path != "/gateway/inbox/callback" {
		t.Errorf("the vendor redirects to %s", denied)
	}
	page := redirected(t, b.URL+denied.RequestURI())
	if q := page.Query(); q.Get("error") != "access_denied" || q.Get("state") != "of the page" || q.Has("inbox_token") {
		t.Errorf("the page got %s", page)
	}
	for _, query := range []string{"", "?state=x&inbox_token=y", "?inbox_token=it_1&state=" + strings.Repeat("A", 43)} {
		get(t, b.URL+"/gateway/inbox/callback"+query).mustFail(t, 400, "NO_CONNECTION")
	}
}

func TestWithdrawnConsentDeletesTheMailbox(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	allFeatures(&settings)
	b := start(t, settings)
	asha := b.page(t, "asha")
	callback := asha.connect(t, "https://app.example/", "")
	handle := redirected(t, callback.String()).Query().Get("inbox_token")
	post(t, settings.Upstream.URL+"/_sandbox/inbox/revoke", "", `{"inbox_token":"`+callback.Query().Get("inbox_token")+`"}`).must(t, 200)
	a := asha.call(t, "POST", "/v4/inbox/cas", "{}", "X-Inbox-Token", handle).must(t, 401)
	if !strings.Contains(a.body, `"requires_reconnect":true`) {
		t.Errorf("got %s, want the vendor's words", a.body)
	}
	asha.call(t, "POST", "/v4/inbox/cas", "{}", "X-Inbox-Token", handle).mustFail(t, 401, "INBOX_NOT_CONNECTED")
	if n := vendor.Calls("/v4/inbox/cas"); n != 1 {
		t.Errorf("the vendor got %d calls, want 1", n)
	}
}

func TestErasureAndExportKnowWhatAUserHasAtTheVendor(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, _ *sandbox.Sandbox) {
		allFeatures(&settings)
		b := start(t, settings)
		asha, rohan := b.page(t, "asha"), b.page(t, "rohan")
		own, other := asha.createAddress(t), rohan.createAddress(t)
		handle := redirected(t, asha.connect(t, "https://app.example/", "").String()).Query().Get("inbox_token")
		pending := asha.connect(t, "https://app.example/", "")
		var e struct {
			Resources []struct {
				Kind      string    `json:"kind"`
				ID        string    `json:"id"`
				CreatedAt time.Time `json:"created_at"`
			} `json:"vendor_resources"`
		}
		exported := b.call(t, "asha", http.MethodGet, "/v1/me/export", "").must(t, 200)
		exported.decode(t, &e)
		if len(e.Resources) != 2 || e.Resources[0].ID != own.ID || e.Resources[1].Kind != "inbox" || e.Resources[1].CreatedAt.IsZero() {
			t.Errorf("exported %+v", e)
		}
		if !strings.Contains(exported.body, `"action":"mailbox.connect","actor":"app:asha"`) {
			t.Error("the audit trail has no connection")
		}
		if strings.Contains(exported.body, handle) || strings.Contains(exported.body, other.ID) {
			t.Error("the export has a handle, or another user's address")
		}
		b.call(t, "asha", http.MethodDelete, "/v1/me", "").must(t, 200)
		asha = b.page(t, "asha")
		asha.call(t, "GET", "/v4/inbound-email/"+own.ID, "").mustFail(t, 404, "NOT_FOUND")
		asha.call(t, "POST", "/v4/inbox/status", "{}", "X-Inbox-Token", handle).mustFail(t, 401, "INBOX_NOT_CONNECTED")
		get(t, pending.String()).mustFail(t, 400, "NO_CONNECTION")
		rohan.call(t, "GET", "/v4/inbound-email/"+other.ID, "").must(t, 200)
	})
}
