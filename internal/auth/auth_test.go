package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

const (
	issuer   = "https://id.example"
	audience = "casbroker"
)

// The keys of the tests are generated once, when first used.
var (
	sharedSecret = sync.OnceValue(func() []byte {
		key := make([]byte, 64)
		_, _ = rand.Read(key)
		return key
	})
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	weakRSA  = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(1024) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	otherEC  = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	edKey    = sync.OnceValue(newEd)
)

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newEd() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// clock is a clock that runs ahead of the real one.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func withSecret() auth.Verifier {
	return auth.Verifier{
		Name: "demo", Issuer: issuer, Audience: []string{audience}, Algorithms: []string{"HS256"},
		Secret: secret.Text(sharedSecret()), Leeway: 30 * time.Second,
	}
}

func withPublicKey(t testing.TB, public any, alg string) auth.Verifier {
	t.Helper()
	return auth.Verifier{
		Name: "demo", Issuer: issuer, Audience: []string{audience}, Algorithms: []string{alg},
		PublicKeyPEM: publicPEM(t, public), Leeway: 30 * time.Second,
	}
}

func publicPEM(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func newAuth(t testing.TB, verifiers ...auth.Verifier) *auth.Authenticator {
	t.Helper()
	return newAuthWith(t, auth.Options{Verifiers: verifiers, CacheSize: 100})
}

func newAuthWith(t testing.TB, opts auth.Options) *auth.Authenticator {
	t.Helper()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	a, err := auth.New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// claimsOf returns the claims of a valid token.
func claimsOf(sub string) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"iss": issuer, "sub": sub, "aud": audience,
		"iat": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
	}
}

// with returns the claims of a valid token with one changed.
func with(name string, value any) jwt.MapClaims {
	c := claimsOf("asha")
	c[name] = value
	return c
}

func without(name string) jwt.MapClaims {
	c := claimsOf("asha")
	delete(c, name)
	return c
}

// sign returns a signed token; header holds further header fields.
func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.Claims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func signHS(t testing.TB, claims jwt.Claims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, sharedSecret(), claims, nil)
}

// answer is the part of a response that tests compare.
type answer struct {
	status    int
	body      string // of a success: the caller's subject
	code      string // of a failure
	detail    string
	challenge string
	header    http.Header
}

// descriptions have to keep to RFC 6750, section 3.
var description = regexp.MustCompile(`error_description="([^"]*)"`)

// ask sends r through Echo, with the real error handler, to a route behind Middleware.
func ask(t testing.TB, a *auth.Authenticator, r *http.Request, more ...echo.MiddlewareFunc) answer {
	t.Helper()
	return askThrough(t, a.Middleware(), r, more...)
}

// askThrough is ask with another middleware that authenticates.
func askThrough(t testing.TB, authenticate echo.MiddlewareFunc, r *http.Request, more ...echo.MiddlewareFunc) answer {
	t.Helper()
	e := echo.New()
	e.HTTPErrorHandler = httpapi.HandleError
	e.Any("/me", func(c echo.Context) error {
		if auth.Caller(c) != auth.From(c.Request().Context()) {
			t.Error("Caller and From disagree")
		}
		return c.String(http.StatusOK, auth.Caller(c).Subject)
	}, append([]echo.MiddlewareFunc{authenticate}, more...)...)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	got := answer{status: w.Code, body: w.Body.String(), challenge: w.Header().Get("WWW-Authenticate"), header: w.Header()}
	if w.Code != http.StatusOK {
		var p httpapi.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("answer %q: %v", w.Body, err)
		}
		got.code, got.detail = p.Code, p.Detail
	}
	checkChallenge(t, got)
	return got
}

func checkChallenge(t testing.TB, got answer) {
	t.Helper()
	if got.status == http.StatusUnauthorized && !strings.HasPrefix(got.challenge, `Bearer realm="casbroker"`) {
		t.Errorf("401 with WWW-Authenticate %q", got.challenge)
	}
	for _, m := range description.FindAllStringSubmatch(got.challenge, -1) {
		if strings.ContainsFunc(m[1], func(r rune) bool { return r < 0x20 || r > 0x7e || r == '\\' }) {
			t.Errorf("error_description %q has characters that RFC 6750 does not allow", m[1])
		}
	}
}

func request(t testing.TB, authorization ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/me", nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

func askWith(t testing.TB, a *auth.Authenticator, token string) answer {
	t.Helper()
	return ask(t, a, request(t, "Bearer "+token))
}

func TestEachAlgorithmVerifiesWithItsTypeOfKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method jwt.SigningMethod
		key    any
		v      auth.Verifier
	}{
		{jwt.SigningMethodHS256, sharedSecret(), withSecret()},
		{jwt.SigningMethodHS512, sharedSecret(), func() auth.Verifier {
			v := withSecret()
			v.Algorithms = []string{"HS512"}
			return v
		}()},
		{jwt.SigningMethodRS256, rsaKey(), withPublicKey(t, rsaKey().Public(), "RS256")},
		{jwt.SigningMethodPS256, rsaKey(), withPublicKey(t, rsaKey().Public(), "PS256")},
		{jwt.SigningMethodES256, ecKey(), withPublicKey(t, ecKey().Public(), "ES256")},
		{jwt.SigningMethodEdDSA, edKey(), withPublicKey(t, edKey().Public(), "EdDSA")},
	} {
		t.Run(tt.method.Alg(), func(t *testing.T) {
			t.Parallel()
			a := newAuth(t, tt.v)
			if got := askWith(t, a, sign(t, tt.method, tt.key, claimsOf("asha"), nil)); got.body != "demo:asha" {
				t.Errorf("got %+v", got)
			}
			if err := a.Ready(); err != nil {
				t.Errorf("a fixed key is always ready: %v", err)
			}
		})
	}
}

func TestIssuersNeverShareASubject(t *testing.T) {
	t.Parallel()
	second := withPublicKey(t, ecKey().Public(), "ES256")
	second.Name, second.Issuer = "corp", "https://corp.example"
	a := newAuth(t, withSecret(), second)

	corp := claimsOf("asha")
	corp["iss"] = "https://corp.example"
	if got := askWith(t, a, signHS(t, claimsOf("asha"))); got.body != "demo:asha" {
		t.Errorf("first issuer: %+v", got)
	}
	if got := askWith(t, a, sign(t, jwt.SigningMethodES256, ecKey(), corp, nil)); got.body != "corp:asha" {
		t.Errorf("second issuer: %+v", got)
	}
	if got := askWith(t, a, signHS(t, corp)); got.code != "invalid_token" {
		t.Errorf("a token that names the second issuer, signed by the first: %+v", got)
	}
}
