package app_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
	"casbroker/internal/token"
)

// gatewayToken is the answer of POST /v1/token for a gateway token.
type gatewayToken struct {
	AccessToken string `json:"access_token"`
	GrantID     string `json:"grant_id"`
	ExpiresIn   int    `json:"expires_in"`
	Mode        string `json:"mode"`
	BaseURL     string `json:"api_base_url"`
}

func (b *broker) gatewayToken(t *testing.T, who, body string) (g gatewayToken) {
	t.Helper()
	b.call(t, who, http.MethodPost, "/v1/token", body).must(t, 200).decode(t, &g)
	return g
}

// gatewaySettings are settings for gateway tokens in memory.
func gatewaySettings(t *testing.T) (config.Config, *sandbox.Sandbox) {
	t.Helper()
	c, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	c.Token.Mode = config.ModeGateway
	return c, vendor
}

// calls counts the parses that a vendor was asked for.
func calls(vendor *sandbox.Sandbox) (n int) {
	for _, source := range []string{"smart", "cdsl", "nsdl", "cams_kfintech", "contract_note"} {
		n += vendor.Calls("/v4/" + source + "/parse")
	}
	return n
}

// mustFail fails the test unless a is an error in the vendor's shape.
func (a answer) mustFail(t *testing.T, status int, code string) answer {
	t.Helper()
	a.must(t, status)
	var e struct{ Status, Msg, Code string }
	a.decode(t, &e)
	if e.Status != "failed" || e.Msg == "" || code != "" && e.Code != code || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s (%s), want the vendor's shape with code %s", a.body, a.header.Get("Content-Type"), code)
	}
	if strings.Contains(strings.ToLower(e.Msg), "password") {
		t.Errorf("%q would be shown as a wrong password", e.Msg)
	}
	return a
}

// form returns a form with a PDF of size bytes.
func form(source, password string, size int) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, _ := w.CreateFormFile("pdf_file", source+".pdf")
	_, _ = io.WriteString(file, "%PDF-1.4\n% "+source+"\n")
	_, _ = file.Write(bytes.Repeat([]byte(" "), size))
	_, _ = io.WriteString(file, "\n%%EOF\n")
	_ = w.WriteField("password", password)
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

func TestStatementIsParsedThroughTheGateway(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeBoth
		b := start(t, settings)
		if direct := b.gatewayToken(t, "asha", ""); direct.Mode != "direct" || direct.BaseURL != "" {
			t.Errorf("got %+v, want a direct token", direct)
		}
		minted := vendor.IssuedTokens()
		g := b.gatewayToken(t, "asha", `{"mode":"gateway"}`)
		if g.Mode != "gateway" || g.BaseURL != b.URL+"/gateway" || g.ExpiresIn < 3590 || len(g.AccessToken) > 90 {
			t.Errorf("got %+v (%d characters)", g, len(g.AccessToken))
		}
		if vendor.IssuedTokens() != minted {
			t.Error("the vendor was called for a gateway token")
		}
		if again := b.gatewayToken(t, "asha", `{"mode":"gateway"}`); again.AccessToken != g.AccessToken {
			t.Errorf("got %+v again, want the same token", again)
		}
		a := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
		var statement struct {
			Meta struct {
				CASType string `json:"cas_type"`
			} `json:"meta"`
		}
		a.decode(t, &statement)
		if statement.Meta.CASType != "CDSL" || !strings.HasPrefix(a.header.Get("X-Request-Id"), "req_") || a.header.Get("X-Credits-Used") != "" {
			t.Errorf("got %s %v", statement.Meta.CASType, a.header)
		}
		wrong := parse(t, g.BaseURL, g.AccessToken, "cdsl", "wrong")
		if wrong.status < 400 || !strings.Contains(strings.ToLower(wrong.body), "password") {
			t.Errorf("a wrong password: got %d %s, want the vendor's words", wrong.status, wrong.body)
		}
	})
}

func TestVendorRejectsAGatewayToken(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	b := start(t, settings)
	parse(t, settings.Upstream.URL, b.gatewayToken(t, "asha", "").AccessToken, "cdsl", "x").mustFail(t, 401, "")
}

func TestGatewayTokensAreHandedOutWhileTheVendorIsDown(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Upstream.URL = "http://127.0.0.1:1"
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 502, "UPSTREAM_UNAVAILABLE")
}

func TestRevocationEndsAGatewayTokenOnAllReplicas(t *testing.T) {
	t.Parallel()
	settings, vendor := settingsFor(t, secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL))
	settings.Token.Mode = config.ModeGateway
	settings.RateLimit.Upload = config.Limits{}
	one, two := start(t, settings), start(t, settings)
	use := func(b *broker, g gatewayToken) answer {
		return parse(t, b.URL+"/gateway", g.AccessToken, "cdsl", "ABCDE1234F")
	}
	ended := func(what string, g gatewayToken, status int) {
		t.Helper()
		within(t, time.Second, what, func() bool { return use(two, g).status == status })
		before := calls(vendor)
		for _, b := range []*broker{one, two} {
			use(b, g).mustFail(t, status, "")
		}
		if calls(vendor) != before {
			t.Errorf("%s: the vendor was called", what)
		}
	}

	single, other := one.gatewayToken(t, "asha", ""), one.gatewayToken(t, "rohan", "")
	use(two, single).must(t, 200)
	r := one.signOut(t, "asha", `{"grant_id":"`+single.GrantID+`"}`)
	if !r.UpstreamValidUntil.IsZero() || r.UpstreamNote != "" {
		t.Errorf("got %+v, want no word about the vendor: the token has ended", r)
	}
	ended("a revoked grant", single, 401)
	use(two, other).must(t, 200)

	// A token may be newer than what another replica knows of revocations.
	fresh := one.gatewayToken(t, "asha", "")
	use(two, fresh).must(t, 200)

	if _, err := one.app.Access().Block(t.Context(), operator, "app:rohan", "stolen phone", time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended("a blocked user", other, 403)
	if _, err := one.app.Access().Unblock(t.Context(), operator, "app:rohan"); err != nil {
		t.Fatal(err)
	}
	ended("a token from before the block", other, 401)

	if _, err := one.app.Access().RevokeAll(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	ended("a bulk revocation", fresh, 401)
	use(two, two.gatewayToken(t, "asha", "")).must(t, 200)
}

func TestTokensThatAreNotOfThisBrokerAreRefused(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	foreign, _ := gatewaySettings(t)
	foreign.Seal.Keys = []config.SealKey{{ID: "k1", Key: secret.Text(hashKey)}}
	foreign.Seal.HashKey = secret.Text(sealKey)
	last := g.AccessToken[len(g.AccessToken)-1]
	for name, value := range map[string]string{
		"none":                     "",
		"of another broker":        start(t, foreign).gatewayToken(t, "asha", "").AccessToken,
		"of the vendor":            "at_01kf0a6v3m9t2w8x4y5z7b1c2d",
		"cut":                      g.AccessToken[:len(g.AccessToken)-1],
		"longer":                   g.AccessToken + "A",
		"with another last letter": g.AccessToken[:len(g.AccessToken)-1] + string(last^1),
		"with another letter":      g.AccessToken[:20] + string(g.AccessToken[20]^1) + g.AccessToken[21:],
		"in upper case":            strings.ToUpper(g.AccessToken),
		"without its prefix":       g.AccessToken[3:],
		"the API key":              apiKey,
		"a JWT":                    bearer(t, "asha"),
		"huge":                     "at_" + strings.Repeat("A", 8000),
	} {
		a := parse(t, g.BaseURL, value, "cdsl", "x")
		if a.status != 401 {
			t.Errorf("%s: got %d", name, a.status)
			continue
		}
		a.mustFail(t, 401, "INVALID_API_KEY")
	}
	if n := calls(vendor); n != 0 {
		t.Errorf("the vendor got %d calls", n)
	}
	if strings.Contains(b.log.String(), g.AccessToken[:40]) {
		t.Error("the log has a token")
	}
	b.call(t, "", http.MethodPost, "/v1/portfolios", "{}", "Authorization", "Bearer "+g.AccessToken).must(t, 401)
}

func TestGatewayVerifiesTokensItself(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	verify := func(path, value string) (v struct {
		Valid     bool      `json:"valid"`
		MaskedKey string    `json:"masked_api_key"`
		ExpiresAt time.Time `json:"expires_at"`
		Error     string    `json:"error"`
	},
	) {
		t.Helper()
		post(t, g.BaseURL+path, value, "").must(t, 200).decode(t, &v)
		return v
	}
	for _, path := range []string{"/v1/token/verify", "/v1/verify-token"} {
		v := verify(path, g.AccessToken)
		if !v.Valid || v.Error != "" || time.Until(v.ExpiresAt) < 59*time.Minute || strings.Contains(v.MaskedKey, apiKey[:4]) {
			t.Errorf("%s: got %+v", path, v)
		}
		if v := verify(path, "at_x"); v.Valid || v.Error == "" || v.MaskedKey != "" {
			t.Errorf("%s: got %+v", path, v)
		}
	}
	b.signOut(t, "asha", "")
	if v := verify("/v1/token/verify", g.AccessToken); v.Valid || v.Error != "Token has been revoked" {
		t.Errorf("got %+v", v)
	}
	if vendor.Calls("/v1/token/verify") != 0 {
		t.Error("the vendor was asked")
	}
}

// post posts a JSON body with a token. header holds pairs.
func post(t *testing.T, url, value, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", value)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, http.DefaultClient, req)
}

func TestFeaturesNarrowATokenByRequestAndSetting(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	b := start(t, settings)
	for body, code := range map[string]string{
		`{"mode":"direct"}`:                      "invalid_mode",
		`{"mode":"both"}`:                        "invalid_mode",
		`{"features":"parse"}`:                   "invalid_features",
		`{"features":[1]}`:                       "invalid_features",
		`{"mode":1}`:                             "invalid_mode",
		`{"features":["contract_note"]}`:         "invalid_features",
		`{"features":["parse","everything"]}`:    "invalid_features",
		`{"features":[]}`:                        "invalid_features",
		`{"mode":"gateway","expiry_minutes":61}`: "invalid_expiry_minutes",
	} {
		if a := b.call(t, "asha", http.MethodPost, "/v1/token", body).must(t, 422); !strings.Contains(a.body, `"code":"`+code+`"`) {
			t.Errorf("%s: got %s, want %s", body, a.body, code)
		}
	}
	note := `{"pdf_url":"https://files.example/note.pdf","password":"ABCDE1234F"}`
	post(t, b.URL+"/gateway/v4/contract_note/parse", b.gatewayToken(t, "asha", "").AccessToken, note).mustFail(t, 404, "NOT_FOUND")

	settings.Gateway.Features = []string{"parse", "contract_note"}
	wide := start(t, settings)
	all := wide.gatewayToken(t, "rohan", "")
	parsing := wide.gatewayToken(t, "rohan", `{"features":["parse"]}`)
	if all.AccessToken == parsing.AccessToken {
		t.Error("a narrow request got a wide token")
	}
	post(t, wide.URL+"/gateway/v4/contract_note/parse", parsing.AccessToken, note).mustFail(t, 403, "FEATURE_NOT_ALLOWED")
	if a := post(t, wide.URL+"/gateway/v4/contract_note/parse", all.AccessToken, note); a.status == 403 || a.status == 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}

	settings.Token.Mode = config.ModeDirect
	direct := start(t, settings)
	direct.call(t, "asha", http.MethodPost, "/v1/token", `{"mode":"gateway"}`).must(t, 422)
	direct.call(t, "asha", http.MethodPost, "/v1/token", `{"mode":"direct"}`).must(t, 200)
	direct.call(t, "asha", http.MethodPost, "/v1/token", `{"features":["parse"]}`).must(t, 422)
	post(t, direct.URL+"/gateway/v4/smart/parse", all.AccessToken, note).must(t, 404)
}

func TestFeaturesOfTokensAreThoseOfTheGateway(t *testing.T) {
	t.Parallel()
	want := fmt.Sprint([]string{
		gateway.Parse, gateway.ContractNote, gateway.Fetch, gateway.Generate, gateway.InboundEmail, gateway.Inbox,
	})
	if got := fmt.Sprint((^token.Features(0)).Names()); got != want {
		t.Errorf("package token has %s, package gateway %s", got, want)
	}
	if got := fmt.Sprint(config.GatewayFeatures()); got != want {
		t.Errorf("package config has %s, package gateway %s", got, want)
	}
}

func TestUploadsAreLimitedInTheVendorsShape(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	settings.RateLimit.Upload = config.Limits{User: "1-H"}
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	a := parse(t, g.BaseURL, g.AccessToken, "cdsl", "ABCDE1234F").mustFail(t, 429, "RATE_LIMITED")
	if a.header.Get("Retry-After") == "" {
		t.Errorf("got %v, want Retry-After", a.header)
	}
	if n := calls(vendor); n != 1 {
		t.Errorf("the vendor got %d calls, want 1", n)
	}
	other := b.gatewayToken(t, "rohan", "")
	parse(t, g.BaseURL, other.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
}

func TestTooLargeUploadsAreRefused(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	b := start(t, settings)
	g := b.gatewayToken(t, "asha", "")
	upload := func(size int, length int64) answer {
		t.Helper()
		body, kind := form("cdsl", "ABCDE1234F", size)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.BaseURL+"/v4/smart/parse", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if length < 0 {
			req.ContentLength = -1 // chunked
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Authorization", "Bearer "+g.AccessToken)
		return send(t, http.DefaultClient, req)
	}
	upload(9<<20, 0).must(t, 200)
	upload(9<<20, -1).must(t, 200)
	before := calls(vendor)
	if a := upload(11<<20, 0).mustFail(t, 413, "FILE_TOO_LARGE"); !strings.Contains(a.body, "10 MB at most") {
		t.Errorf("got %s, want words for the one who chose the file", a.body)
	}
	if calls(vendor) != before {
		t.Error("a large upload of known length reached the vendor")
	}
	upload(11<<20, -1).mustFail(t, 413, "FILE_TOO_LARGE")
}

func TestPagesOfAllowedOriginsMayCallTheGateway(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	settings.Server.PublicURL = "https://broker.example"
	b := start(t, settings)
	if g := b.gatewayToken(t, "asha", ""); g.BaseURL != "https://broker.example/gateway" {
		t.Errorf("got %s", g.BaseURL)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, b.URL+"/gateway/v4/smart/parse", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://app.example")
	req.Header.Set("Access-Control-Request-Method", "POST")
	req.Header.Set("Access-Control-Request-Headers", "x-api-key")
	a := send(t, http.DefaultClient, req).must(t, 204)
	h := a.header
	if h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Max-Age") == "" ||
		!strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "x-api-key") {
		t.Errorf("got %v", h)
	}
	refused := post(t, b.URL+"/gateway/v4/smart/parse", "at_x", "{}", "Origin", "https://app.example").mustFail(t, 401, "")
	if refused.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("a page cannot read the refusal: %v", refused.header)
	}
}

// TestHostOfAnotherMachineIsNotTheGateways checks that a caller cannot choose the address
// to which the page sends the statement.
func TestHostOfAnotherMachineIsNotTheGateways(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	b := start(t, settings)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/token", nil)
	req.Host = "evil.example"
	req.Header.Set("Authorization", "Bearer "+bearer(t, "asha"))
	w := httptest.NewRecorder()
	b.app.Handler().ServeHTTP(w, req)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"api_base_url":"http://127.0.0.1:8080/gateway"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestOperatorSeesAndRevokesGatewayTokens(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeGateway
		key := withOperator(t, &settings, "meera")
		b := start(t, settings)
		g := b.gatewayToken(t, "asha", "")
		as := b.signIn(t, key)
		var grant struct{ Mode, State string }
		b.call(t, "", http.MethodGet, "/admin/v1/grants/"+g.GrantID, "", as...).must(t, 200).decode(t, &grant)
		if grant.Mode != "gateway" || grant.State != "active" {
			t.Errorf("got %+v", grant)
		}
		revoked := b.call(t, "", http.MethodPost, "/admin/v1/grants/"+g.GrantID+"/revoke", "", as...).must(t, 200)
		after := b.call(t, "", http.MethodGet, "/admin/v1/grants/"+g.GrantID, "", as...).must(t, 200)
		for _, a := range []answer{revoked, after} {
			if strings.Contains(a.body, "upstream_valid_until") || strings.Contains(a.body, "upstream_note") {
				t.Errorf("got %s, want nothing about the vendor: the token has ended", a.body)
			}
		}
		parse(t, g.BaseURL, g.AccessToken, "cdsl", "x").mustFail(t, 401, "INVALID_API_KEY")
		if n := calls(vendor); n != 0 {
			t.Errorf("the vendor got %d calls", n)
		}
		found := b.call(t, "", http.MethodPost, "/oauth/introspect", "token="+b.gatewayToken(t, "asha", "").AccessToken,
			append(as, "Content-Type", "application/x-www-form-urlencoded")...).must(t, 200)
		if !strings.Contains(found.body, `"active":true`) || !strings.Contains(found.body, `"mode":"gateway"`) {
			t.Errorf("got %s", found.body)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL+"/console/grants/"+g.GrantID, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(as); i += 2 {
			req.Header.Set(as[i], as[i+1])
		}
		page := send(t, http.DefaultClient, req).must(t, 200) // pages are not in openapi.yaml
		if !strings.Contains(page.body, "gateway") || strings.Contains(page.body, "the browser has the vendor") {
			t.Error("the console does not say that it is a gateway token")
		}
	})
}
