package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/app"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/testkit/services"
)

// largestJWT returns a JWT of the app of nearly the greatest size, as an issuer makes it
// that lists the user's groups.
func largestJWT(t *testing.T, who string) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": "https://app.example", "aud": "casbroker", "sub": who, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	const group = "00000000-0000-0000-0000-000000000000"
	var groups []string
	for {
		claims["groups"] = append(groups, group)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
		if err != nil {
			t.Fatal(err)
		}
		if len(token) > auth.MaxTokenSize-100 {
			return token
		}
		groups = append(groups, group)
	}
}

func TestTokensWithManyGroupsGetAccessTokens(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	b := start(t, settings)
	large := largestJWT(t, "asha")
	b.as(t, large, http.MethodPost, "/v1/token", "").must(t, http.StatusOK)
	b.exchange(t, large, "client_id", "app", "expiry_minutes", "5", "scope", "").must(t, http.StatusOK)
	a := b.as(t, large+strings.Repeat("A", 200), http.MethodPost, "/v1/token", "")
	a.mustRefuse(t, http.StatusUnauthorized, "invalid_token")
}

// provider is an identity provider: where its documentation says that its keys are, and the
// claims of its tokens.
type provider struct {
	keys     string // the URL of its key set
	oidc     bool   // its discovery document names that
	method   jwt.SigningMethod
	claims   jwt.MapClaims
	lifetime time.Duration
	admin    [2]any         // a claim that makes the caller an admin, nil for none
	refused  map[string]any // claims with which the token is not one for this broker
	detail   string         // why
}

const (
	entraTenant = "00000000-1111-2222-3333-444444444444"
	cognitoPool = "https://cognito-idp.ap-south-1.amazonaws.com/ap-south-1_EXAMPLE"
	supabase    = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
)

var providers = map[string]provider{
	"auth0": {
		keys: "https://example.eu.auth0.com/.well-known/jwks.json", oidc: true, method: jwt.SigningMethodRS256, lifetime: 24 * time.Hour,
		claims: jwt.MapClaims{
			"iss": "https://example.eu.auth0.com/", "sub": "auth0|507f1f77bcf86cd799439020", "azp": "ExampleClientId", "scope": "openid profile casbroker:admin",
			"aud": []string{"https://broker.example", "https://example.eu.auth0.com/userinfo"}, "permissions": []string{},
		},
		admin:   [2]any{"permissions", []string{"casbroker:admin"}},
		refused: map[string]any{"aud": "https://example.eu.auth0.com/userinfo"}, detail: "audience (aud)",
	},
	"clerk": {
		keys: "https://clerk.app.example/.well-known/jwks.json", method: jwt.SigningMethodRS256, lifetime: time.Minute,
		claims: jwt.MapClaims{
			"iss": "https://clerk.app.example", "sub": "user_2abcdEXAMPLE", "azp": "https://app.example", "sid": "sess_2abcdEXAMPLE", "sts": "active",
			"v": 2, "fva": []int{0, -1}, "pla": "u:free", "fea": "", "jti": "0123456789abcdef0123",
		},
		admin:   [2]any{"metadata", map[string]any{"roles": []string{"casbroker:admin"}}},
		refused: map[string]any{"azp": "https://phishing.example"}, detail: "azp is not accepted",
	},
	"cognito": {
		keys: cognitoPool + "/.well-known/jwks.json", method: jwt.SigningMethodRS256, lifetime: time.Hour,
		claims: jwt.MapClaims{
			"iss": cognitoPool, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "client_id": "1example23456789", "token_use": "access", "version": 2,
			"scope": "aws.cognito.signin.user.admin openid", "origin_jti": "0a-1b", "event_id": "2c-3d", "jti": "4e-5f", "username": "asha",
		},
		admin:   [2]any{"cognito:groups", []string{"casbroker:admin"}},
		refused: map[string]any{"client_id": nil, "aud": "1example23456789", "token_use": "id"}, detail: "has no client_id",
	},
	"entra": {
		keys: "https://login.microsoftonline.com/" + entraTenant + "/discovery/v2.0/keys", oidc: true, method: jwt.SigningMethodRS256, lifetime: 75 * time.Minute,
		claims: jwt.MapClaims{
			"iss": "https://login.microsoftonline.com/" + entraTenant + "/v2.0", "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
			"aud": "55555555-6666-7777-8888-999999999999", "azp": "66666666-6666-7777-8888-999999999999", "azpacr": "0", "oid": "77777777-6666-7777-8888-999999999999",
			"tid": entraTenant, "scp": "access", "ver": "2.0", "uti": "x", "rh": "y", "groups": slices.Repeat([]string{entraTenant}, 200),
		},
		admin:   [2]any{"roles", []string{"casbroker:admin"}},
		refused: map[string]any{"aud": "00000003-0000-0000-c000-000000000000"}, detail: "audience (aud)",
	},
	"firebase": {
		keys:   "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
		method: jwt.SigningMethodRS256, lifetime: time.Hour,
		claims: jwt.MapClaims{
			"iss": "https://securetoken.google.com/example-project", "aud": "example-project", "sub": "Zx9ExampleUserId0123456789ab", "user_id": "Zx9ExampleUserId0123456789ab",
			"email": "asha@app.example", "email_verified": true, "firebase": map[string]any{"identities": map[string]any{}, "sign_in_provider": "password"},
		},
		admin:   [2]any{"roles", []string{"casbroker:admin"}},
		refused: map[string]any{"aud": "another-project"}, detail: "audience (aud)",
	},
	"keycloak": {
		keys: "https://sso.example/realms/example/protocol/openid-connect/certs", oidc: true, method: jwt.SigningMethodRS256, lifetime: 5 * time.Minute,
		claims: jwt.MapClaims{
			"iss": "https://sso.example/realms/example", "sub": "2f9b1c3e-0000-4000-8000-00000000abcd", "aud": []string{"casbroker", "account"}, "azp": "app",
			"typ": "Bearer", "sid": "e4-f5", "acr": "1", "allowed-origins": []string{"https://app.example"}, "scope": "openid profile email",
			"realm_access": map[string]any{"roles": []string{"offline_access", "default-roles-example"}}, "jti": "onrtac:1",
		},
		admin:   [2]any{"realm_access", map[string]any{"roles": []string{"casbroker:admin"}}},
		refused: map[string]any{"aud": "account"}, detail: "audience (aud)",
	},
	"nextauth": {
		method: jwt.SigningMethodHS256, lifetime: 15 * time.Minute,
		claims:  jwt.MapClaims{"iss": "https://app.example", "aud": "casbroker", "sub": "cm4example0000"},
		refused: map[string]any{"exp": time.Now().Add(30 * 24 * time.Hour).Unix()}, detail: "lifetime is longer", // as the session's
	},
	"supabase": {
		keys: supabase + "/.well-known/jwks.json", method: jwt.SigningMethodES256, lifetime: time.Hour,
		claims: jwt.MapClaims{
			"iss": supabase, "aud": "authenticated", "sub": "123e4567-e89b-12d3-a456-426614174000", "role": "authenticated", "aal": "aal1", "session_id": "8d-9e",
			"email": "asha@app.example", "phone": "", "is_anonymous": false, "app_metadata": map[string]any{"provider": "email", "providers": []string{"email"}},
			"user_metadata": map[string]any{"roles": []string{"casbroker:admin"}}, "amr": []any{map[string]any{"method": "password", "timestamp": 1764480000}},
		},
		admin:   [2]any{"app_metadata", map[string]any{"roles": []string{"casbroker:admin"}}},
		refused: map[string]any{"aud": "anon", "role": "anon"}, detail: "audience (aud)",
	},
}

// providerKeys are the keys of all providers, by the "kty" of a JWK.
type providerKeys struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// set returns a key set with key kid of method. Like that of Entra, it does not say alg.
func (k providerKeys) set(t *testing.T, method jwt.SigningMethod) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	if method == jwt.SigningMethodES256 {
		point, err := k.ec.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return `{"keys":[{"kty":"EC","crv":"P-256","use":"sig","kid":"k1","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}]}`
	}
	return `{"keys":[{"kty":"RSA","use":"sig","kid":"k1","e":"AQAB","n":"` + b64(k.rsa.N.Bytes()) + `"}]}`
}

// sign returns a token of p with claims changed. iat is rounded up, as some providers do.
func (k providerKeys) sign(t *testing.T, p provider, local func(string) string, change map[string]any) string {
	t.Helper()
	now := time.Now().Add(time.Second)
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(p.lifetime).Unix()}
	maps.Copy(claims, p.claims)
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	var key any = []byte(jwtSecret)
	token := jwt.NewWithClaims(p.method, claims)
	if p.keys != "" {
		issuer, _ := claims["iss"].(string)
		claims["iss"], token.Header["kid"], key = local(issuer), "k1", any(k.rsa)
	}
	if p.method == jwt.SigningMethodES256 {
		key = k.ec
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// serveProviders serves what providers publish. local returns the URL at which that of a
// provider is served.
func serveProviders(t *testing.T, keys providerKeys) (local func(address string) string) {
	t.Helper()
	documents := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := documents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	local = func(address string) string { return server.URL + "/" + strings.TrimPrefix(address, "https://") }
	path := func(address string) string { return strings.TrimPrefix(local(address), server.URL) }
	for _, p := range providers {
		if p.keys == "" {
			continue
		}
		documents[path(p.keys)] = keys.set(t, p.method)
		if issuer, _ := p.claims["iss"].(string); p.oidc {
			documents[path(strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")] = `{"issuer":"` + local(issuer) + `","jwks_uri":"` + local(p.keys) + `"}`
		}
	}
	return local
}

func newProviderKeys(t *testing.T) (k providerKeys) {
	t.Helper()
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return k
}

// recipes returns the verifiers in config/identity, each with its provider as its name and at
// its local address.
func recipes(t *testing.T, local func(string) string) (list []config.Verifier) {
	t.Helper()
	files, err := filepath.Glob("../../config/identity/*.yaml")
	if err != nil || len(files) != len(providers) {
		t.Fatalf("got %v, %v, want a file for each provider", files, err)
	}
	for _, file := range files {
		c, err := config.Load(config.Default(), file, []string{"CASBROKER_AUTH_VERIFIERS_0_SECRET="})
		if err != nil || len(c.Auth.Verifiers) != 1 {
			t.Fatalf("%s: got %v, %+v, want one verifier", file, err, c.Auth.Verifiers)
		}
		v := c.Auth.Verifiers[0]
		checkRecipe(t, file, v)
		v.Name = strings.TrimSuffix(filepath.Base(file), ".yaml")
		switch p, known := providers[v.Name]; {
		case !known:
			t.Fatalf("%s is not tested", file)
		case p.keys == "":
			v.Secret = jwtSecret
		case v.JWKSURL != "":
			v.JWKSURL = local(v.JWKSURL)
			fallthrough
		default:
			v.Issuer = local(v.Issuer)
		}
		list = append(list, v)
	}
	return list
}

func TestBlocksForIdentityProvidersAcceptTheirTokens(t *testing.T) {
	t.Parallel()
	keys := newProviderKeys(t)
	local := serveProviders(t, keys)
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Auth.Verifiers = recipes(t, local)
	b := start(t, settings)
	for name, p := range providers {
		token := keys.sign(t, p, local, nil)
		if a := b.as(t, token, http.MethodPost, "/v1/token", ""); a.status != http.StatusOK {
			t.Errorf("%s: a token of %d bytes got %d %s", name, len(token), a.status, a.body)
			continue
		}
		if a := b.as(t, token, http.MethodGet, "/admin/v1/users", ""); a.status != http.StatusForbidden {
			t.Errorf("%s: a user got %d from the API of operators", name, a.status)
		}
		a := b.as(t, keys.sign(t, p, local, p.refused), http.MethodPost, "/v1/token", "")
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, p.detail) {
			t.Errorf("%s: a token for another got %d %s, want 401 with %q", name, a.status, a.body, p.detail)
		}
		if claim, ok := p.admin[0].(string); ok {
			a := b.as(t, keys.sign(t, p, local, map[string]any{claim: p.admin[1]}), http.MethodGet, "/admin/v1/users?prefix="+
				url.QueryEscape(name+":"+p.claims["sub"].(string)), "")
			if a.status != http.StatusOK || !strings.Contains(a.body, `"subject":"`+name+":") {
				t.Errorf("%s: an admin got %d %s, want the user who got a token", name, a.status, a.body)
			}
		}
	}
}

// checkRecipe fails the test unless a broker starts with v as it is in file, but for files of
// secrets, and prints it as it is there.
func checkRecipe(t *testing.T, file string, v config.Verifier) {
	t.Helper()
	if v.SecretFile = ""; v.Algorithms[0] == "HS256" {
		v.Secret = jwtSecret
	}
	c, _ := settingsFor(t, "sqlite:x.db", "memory")
	c.Auth.Verifiers = []config.Verifier{v}
	if err := app.Check(c); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil || !strings.Contains(printed.String(), "jwks_url: "+v.JWKSURL) && v.JWKSURL != "" {
		t.Errorf("%s: printed as %v, %s", file, err, printed.String())
	}
}

// This downloads a package, once per machine.
func TestJWTsThatARouteOfNextAuthSignsAreAccepted(t *testing.T) {
	t.Parallel()
	run := services.Node(t, "jose@6.2.18")
	_, code, _ := strings.Cut(mustGuide(t, "nextjs"), "const jwt = ")
	code, _, found := strings.Cut(code, ";\n")
	if !found {
		t.Fatal("the guide has no code that signs a JWT")
	}
	token := run(`import { SignJWT } from "jose";
const session = { user: { id: "42" } }, secret = new TextEncoder().encode(process.argv[2]);
process.stdout.write(`+code+`);`, jwtSecret)
	settings, _ := settingsFor(t, sqlite(t), "memory")
	settings.Auth.Verifiers = recipes(t, func(address string) string { return address })[6:7]
	if v := settings.Auth.Verifiers[0]; v.Name != "nextauth" {
		t.Fatalf("got %s", v.Name)
	}
	b := start(t, settings)
	b.as(t, token, http.MethodPost, "/v1/token", "").must(t, http.StatusOK)
}
