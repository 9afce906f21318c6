package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/config"
	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	jwtType       = "urn:ietf:params:oauth:token-type:jwt"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
)

// exchangedToken is the answer to a token exchange.
type exchangedToken struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int    `json:"expires_in"`
	Scope           string `json:"scope"`
	GrantID         string `json:"grant_id"`
	Mode            string `json:"mode"`
	BaseURL         string `json:"api_base_url"`
}

// oauthError is the answer to a token exchange that failed.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        string `json:"code"`
	Status      int    `json:"status"`
}

// exchange sends a token exchange with subject as the subject token and the pairs of more,
// which replace parameters; an empty value leaves one out.
func (b *broker) exchange(t *testing.T, subject string, more ...string) answer {
	t.Helper()
	return b.exchangeAs(t, nil, subject, more...)
}

func (b *broker) exchangeAs(t *testing.T, header []string, subject string, more ...string) answer {
	t.Helper()
	form := url.Values{"grant_type": {tokenExchange}, "subject_token": {subject}, "subject_token_type": {jwtType}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.call(t, "", "POST", "/oauth/token", form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// mustBe fails the test unless a is this OAuth error, as application/json with this status.
func (a answer) mustBe(t *testing.T, status int, code string) oauthError {
	t.Helper()
	var e oauthError
	a.must(t, status).decode(t, &e)
	if e.Error != code || e.Description == "" || e.Status != status || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s %v, want the error %s with the status %d as JSON that is not stored", a.body, a.header, code, status)
	}
	return e
}

func TestUserTokenIsExchangedForAnAccessToken(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, settings config.Config, vendor *sandbox.Sandbox) {
		settings.Token.Mode = config.ModeBoth
		b := start(t, settings)
		var got exchangedToken
		a := b.exchange(t, bearer(t, "asha")).must(t, 200)
		a.decode(t, &got)
		if got.TokenType != "Bearer" || got.IssuedTokenType != accessType || got.ExpiresIn < 3590 || got.Mode != "direct" || got.BaseURL != "" || got.Scope != "" {
			t.Errorf("got %+v, want a direct token in the form of RFC 8693", got)
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("RateLimit") == "" {
			t.Errorf("got %v, want an answer that is not stored, with its limits", a.header)
		}
		if own := b.token(t, "asha"); own.AccessToken != got.AccessToken || own.GrantID != got.GrantID {
			t.Errorf("POST /v1/token gave %+v, want the same token %+v", own, got)
		}
		if vendor.IssuedTokens() != 1 {
			t.Errorf("the vendor minted %d tokens, want 1", vendor.IssuedTokens())
		}
		var proxied exchangedToken
		b.exchange(t, bearer(t, "asha"), "mode", "gateway", "scope", "parse", "expiry_minutes", "5", "client_id", "app", "subject_token_type",
			"urn:ietf:params:oauth:token-type:id_token", "requested_token_type", accessType).must(t, 200).decode(t, &proxied)
		if proxied.Scope != "parse" || proxied.BaseURL != b.URL+"/gateway" || proxied.ExpiresIn > 300 {
			t.Errorf("got %+v, want a gateway token for 5 minutes", proxied)
		}
		parse(t, proxied.BaseURL, proxied.AccessToken, "cdsl", "ABCDE1234F").must(t, 200)
	})
}

func TestTokenExchangesAreRefusedInTheStandardsWords(t *testing.T) {
	t.Parallel()
	settings, vendor := gatewaySettings(t)
	settings.Token.Mode = config.ModeBoth
	settings.Auth.Cookie = "session"
	b := start(t, settings)
	if _, err := b.app.Access().Block(t.Context(), operator, "app:rohan", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	valid := bearer(t, "asha")
	for name, c := range map[string]struct {
		subject string
		more    []string
		err     string
		code    string
	}{
		"no grant type":         {valid, []string{"grant_type", ""}, "invalid_request", "invalid_request"},
		"another grant type":    {valid, []string{"grant_type", "client_credentials"}, "unsupported_grant_type", "unsupported_grant_type"},
		"no subject token":      {"", nil, "invalid_request", "invalid_request"},
		"forged subject token":  {valid + "x", nil, "invalid_request", "invalid_token"},
		"no subject type":       {valid, []string{"subject_token_type", ""}, "invalid_request", "invalid_request"},
		"a SAML subject":        {valid, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "invalid_request"},
		"a refresh token":       {valid, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request", "invalid_request"},
		"an actor token":        {valid, []string{"actor_token", valid}, "invalid_request", "invalid_request"},
		"another audience":      {valid, []string{"audience", "https://elsewhere.example"}, "invalid_target", "invalid_target"},
		"another resource":      {valid, []string{"resource", "https://elsewhere.example"}, "invalid_target", "invalid_target"},
		"an unknown scope":      {valid, []string{"scope", "everything", "mode", "gateway"}, "invalid_scope", "invalid_features"},
		"a scope in vain":       {valid, []string{"scope", "parse"}, "invalid_scope", "invalid_features"},
		"minutes out of range":  {valid, []string{"expiry_minutes", "61"}, "invalid_request", "invalid_expiry_minutes"},
		"minutes in words":      {valid, []string{"expiry_minutes", "ten"}, "invalid_request", "invalid_request"},
		"an unknown mode":       {valid, []string{"mode", "open"}, "invalid_request", "invalid_mode"},
		"a blocked user":        {bearer(t, "rohan"), nil, "invalid_request", "subject_blocked"},
		"an operator's session": {"casbroker_session", nil, "invalid_request", "invalid_token"},
	} {
		if e := b.exchange(t, c.subject, c.more...).mustBe(t, 400, c.err); e.Code != c.code {
			t.Errorf("%s: got the code %s, want %s", name, e.Code, c.code)
		}
	}
	twice := "grant_type=" + url.QueryEscape(tokenExchange) + "&subject_token=x&subject_token=" + valid + "&subject_token_type=" + url.QueryEscape(jwtType)
	b.call(t, "", "POST", "/oauth/token", twice, "Content-Type", "application/x-www-form-urlencoded").mustBe(t, 400, "invalid_request")
	b.call(t, "", "POST", "/oauth/token?subject_token="+valid, "", "Content-Type", "application/x-www-form-urlencoded").mustBe(t, 400, "invalid_request")
	b.call(t, "", "POST", "/oauth/token", `{"subject_token":"x"}`).mustBe(t, 415, "invalid_request")
	b.call(t, "", "POST", "/oauth/token", strings.Repeat("a=b&", 20_000), "Content-Type", "application/x-www-form-urlencoded").mustBe(t, 413, "invalid_request")
	b.call(t, "asha", "POST", "/oauth/token", "grant_type="+url.QueryEscape(tokenExchange), "Content-Type", "application/x-www-form-urlencoded",
		"Cookie", "session="+valid).mustBe(t, 400, "invalid_request")
	if vendor.IssuedTokens() != 0 {
		t.Error("a refused exchange minted a token")
	}
	if strings.Contains(b.log.String(), valid) || strings.Contains(b.log.String(), strings.Split(valid, ".")[2]) {
		t.Error("the log has a subject token")
	}
}

func TestClientOfATokenExchangeIsTheUserOrAService(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Auth.Verifiers[0].ActsFor = []string{"app"}
	serviceVerifiers(&settings)
	key := serviceKey(t, &settings, "payroll", []string{"app"}, "token:write")
	others := serviceKey(t, &settings, "partner-payroll", []string{"partner"}, "token:write")
	b := start(t, settings)
	subject := bearer(t, "asha")
	for name, client := range map[string]string{
		"the user itself": "Bearer " + subject, "a service": "Bearer " + bearerAs(t, "backend", "casbroker:service"),
		"a service key": "Bearer " + key,
	} {
		if a := b.exchangeAs(t, []string{"Authorization", client}, subject); a.status != 200 {
			t.Errorf("%s: got %d %s, want 200", name, a.status, a.body)
		}
	}
	for _, client := range []string{bearer(t, "ravi"), bearerAs(t, "reader", "portfolios:read"), others} {
		b.exchangeAs(t, []string{"Authorization", "Bearer " + client}, subject).mustBe(t, 400, "unauthorized_client")
	}
	for name, header := range map[string]string{"a forged token": "Bearer " + subject + "x", "a secret": "Basic YXBwOnNlY3JldA=="} {
		a := b.exchangeAs(t, []string{"Authorization", header}, subject)
		a.mustBe(t, 401, "invalid_client")
		if a.header.Get("WWW-Authenticate") != `Bearer realm="casbroker"` {
			t.Errorf("%s: got the challenge %q", name, a.header.Get("WWW-Authenticate"))
		}
	}
	b.exchange(t, subject, "client_secret", "secret").mustBe(t, 401, "invalid_client")
	b.exchangeAs(t, []string{"Authorization", "Bearer " + key + "x"}, subject).mustBe(t, 401, "invalid_client")
	b.exchangeAs(t, []string{"Authorization", "Bearer " + key}, bearer(t, "meera")).must(t, 200)
	trail := b.call(t, "", "GET", "/admin/v1/audit?subject=app:meera", "", "Authorization", "Bearer "+bearerAs(t, "root", "casbroker:admin")).must(t, 200)
	if !strings.Contains(trail.body, `"actor":"key:payroll"`) {
		t.Errorf("got %s, want the service as the actor of the mint", trail.body)
	}
}

func TestTokenExchangesHaveTheLimitsOfTokens(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.RateLimit.Token, settings.RateLimit.Failures = config.Limits{User: "3-M"}, "2-M"
	b := start(t, settings)
	b.token(t, "asha")
	b.exchange(t, bearer(t, "asha")).must(t, 200)
	b.exchange(t, bearer(t, "asha"), "mode", "open").mustBe(t, 400, "invalid_request") // counts, too
	if a := b.exchange(t, bearer(t, "asha")); a.header.Get("Retry-After") == "" {
		t.Errorf("got %v, want Retry-After", a.header)
	} else {
		a.mustBe(t, 429, "temporarily_unavailable")
	}
	b.exchange(t, bearer(t, "ravi")).must(t, 200)
	for range 2 {
		b.exchange(t, "x.y.z").mustBe(t, 400, "invalid_request")
	}
	b.exchange(t, "x.y.z").mustBe(t, 429, "temporarily_unavailable")
	b.exchange(t, bearer(t, "meera")).must(t, 200) // who is right is not held back
}

func TestOAuthEndpointsAreDescribed(t *testing.T) {
	t.Parallel()
	const path = "/.well-known/oauth-authorization-server"
	settings, _ := gatewaySettings(t)
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	settings.Token.Mode = config.ModeDirect
	local := start(t, settings)
	var m struct {
		Issuer, TokenEndpoint string
		Endpoint              string   `json:"token_endpoint"`
		Scopes                []string `json:"scopes_supported"`
	}
	a := local.call(t, "", "GET", path, "", "Origin", "https://app.example").must(t, 200)
	a.decode(t, &m)
	if m.Issuer != local.URL || m.Endpoint != local.URL+"/oauth/token" || m.Scopes != nil || a.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("got %s %v, want the description for pages of the app", a.body, a.header)
	}
	spoofed, err := http.NewRequestWithContext(t.Context(), "GET", local.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	spoofed.Host = "evil.example"
	send(t, http.DefaultClient, spoofed).must(t, 404)

	settings, _ = gatewaySettings(t)
	settings.Server.PublicURL = "https://api.example/broker"
	public := start(t, settings)
	for _, at := range []string{path, path + "/broker"} {
		a := send(t, http.DefaultClient, request(t, "GET", public.URL+at)).must(t, 200)
		a.decode(t, &m)
		if m.Issuer != "https://api.example/broker" || m.Endpoint != "https://api.example/broker/oauth/token" || len(m.Scopes) != 1 {
			t.Errorf("%s: got %s, want the public address", at, a.body)
		}
	}
}

func request(t *testing.T, method, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPagesMayExchangeTokensButNotRevokeThem(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	b := start(t, settings)
	origin := []string{"Origin", "https://app.example"}
	if got := b.exchangeAs(t, origin, bearer(t, "asha")).must(t, 200).header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
		t.Errorf("got Access-Control-Allow-Origin %q for an exchange, want that of the app", got)
	}
	for _, path := range []string{"/oauth/revoke", "/oauth/introspect"} {
		a := b.call(t, "asha", "POST", path, "token=at_x", append(origin, "Content-Type", "application/x-www-form-urlencoded")...)
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: got Access-Control-Allow-Origin %q, want none", path, got)
		}
	}
}

// expiredJWT is a JWT of who that has expired.
func expiredJWT(t *testing.T, who string) string {
	t.Helper()
	then := time.Now().Add(-time.Hour)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "https://app.example", Audience: jwt.ClaimStrings{"casbroker"}, Subject: who,
		IssuedAt: jwt.NewNumericDate(then.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(then),
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestExpiredSubjectTokenIsNamed(t *testing.T) {
	t.Parallel()
	settings, _ := gatewaySettings(t)
	e := start(t, settings).exchange(t, expiredJWT(t, "asha")).mustBe(t, 400, "invalid_request")
	if !strings.Contains(e.Description, "expired") {
		t.Errorf("got %q, want that the token has expired", e.Description)
	}
}

// This downloads two packages, once per machine.
func TestOAuthClientsOfNodeExchangeTokens(t *testing.T) {
	t.Parallel()
	run := services.Node(t, "openid-client@6.9.0", "oauth4webapi@3.8.8")
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Token.Mode = config.ModeBoth
	settings.Auth.Verifiers[0].ActsFor = []string{"app"}
	key := serviceKey(t, &settings, "introspector", []string{"app"}, "casbroker:service")
	b := start(t, settings)
	module, err := os.ReadFile("testdata/oauth_clients.mjs")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]struct {
		Token, Scoped          exchangedToken
		ExpiresIn              int
		Refused, Scope         string
		Description            string
		Status                 int
		Introspected, After    struct{ Active bool }
		AuthorizationServerDoc json.RawMessage `json:"as"`
		Secrets                map[string]struct {
			Before, After struct {
				Active bool
				Sub    string
			}
			Challenge string
			Told      bool
		}
	}
	out := run(string(module), b.URL, bearer(t, "asha"), bearerAs(t, "backend", "casbroker:service"), "introspector", key)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	one, other := got["openidClient"], got["oauth4webapi"]
	if !strings.HasPrefix(one.Token.AccessToken, "at_") || one.Token.GrantID == "" || one.ExpiresIn < 3500 || !strings.HasPrefix(other.Token.AccessToken, "at_") {
		t.Errorf("got %s, want a token for each client", out)
	}
	if one.Refused != "invalid_request" || one.Description == "" || one.Scope != "invalid_scope" || other.Refused != "invalid_request" || other.Status != 400 {
		t.Errorf("got %s, want the errors of the standard", out)
	}
	if one.Scoped.Scope != "parse" || one.Scoped.BaseURL != b.URL+"/gateway" || !one.Introspected.Active || one.After.Active {
		t.Errorf("got %s, want a gateway token, and one that is revoked", out)
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		got := other.Secrets[method]
		if !got.Before.Active || got.Before.Sub != "app:asha" || got.After.Active || got.Challenge != "basic" || !got.Told {
			t.Errorf("%s: got %+v, want a token that is active until it is revoked", method, got)
		}
	}
}
