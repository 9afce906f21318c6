package auth_test

import (
	"crypto"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// BenchmarkAuthenticate compares the broker's verification with golang-jwt's own
// ParseWithClaims ("plain"), which checks few claims.
func BenchmarkAuthenticate(b *testing.B) {
	hs := signHS(b, claimsOf("asha"))
	withRoles := signHS(b, with("scope", "openid profile casbroker:service"))
	rs := sign(b, jwt.SigningMethodRS256, rsaKey(), claimsOf("asha"), nil)
	es := sign(b, jwt.SigningMethodES256, ecKey(), claimsOf("asha"), nil)
	remembering := newAuth(b, withSecret())
	forgetting := newAuthWith(b, auth.Options{Verifiers: []auth.Verifier{withSecret()}})
	byRSA := newAuthWith(b, auth.Options{Verifiers: []auth.Verifier{withPublicKey(b, rsaKey().Public(), "RS256")}})
	byEC := newAuthWith(b, auth.Options{Verifiers: []auth.Verifier{withPublicKey(b, ecKey().Public(), "ES256")}})

	b.Run("hit", func(b *testing.B) { benchmark(b, remembering, hs) })
	b.Run("miss/HS256", func(b *testing.B) { benchmark(b, forgetting, hs) })
	b.Run("miss/HS256 with roles", func(b *testing.B) { benchmark(b, forgetting, withRoles) })
	b.Run("miss/RS256", func(b *testing.B) { benchmark(b, byRSA, rs) })
	b.Run("miss/ES256", func(b *testing.B) { benchmark(b, byEC, es) })
	b.Run("plain/HS256", func(b *testing.B) { benchmarkPlain(b, hs, sharedSecret()) })
	b.Run("plain/RS256", func(b *testing.B) { benchmarkPlain(b, rs, rsaKey().Public()) })
	b.Run("plain/ES256", func(b *testing.B) { benchmarkPlain(b, es, ecKey().Public()) })
}

func benchmark(b *testing.B, a *auth.Authenticator, token string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkPlain(b *testing.B, token string, key crypto.PublicKey) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		var c jwt.RegisteredClaims
		if _, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFullCache measures new tokens with a full cache.
func BenchmarkFullCache(b *testing.B) {
	a := newAuthWith(b, auth.Options{Verifiers: []auth.Verifier{withSecret()}, CacheSize: 10_000})
	tokens := make([]string, 40_000)
	for i := range tokens {
		tokens[i] = signHS(b, claimsOf(fmt.Sprintf("user-%06d", i)))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkMiddleware measures the whole middleware for a cached token.
func BenchmarkMiddleware(b *testing.B) {
	a := newAuth(b, withSecret())
	handler := a.Middleware()(func(c echo.Context) error {
		_ = auth.Caller(c)
		return nil
	})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/token", nil)
	r.Header.Set("Authorization", "Bearer "+signHS(b, claimsOf("asha")))
	c := echo.New().NewContext(r, httptest.NewRecorder())
	b.ReportAllocs()
	for b.Loop() {
		c.SetRequest(r)
		if err := handler(c); err != nil {
			b.Fatal(err)
		}
	}
}
