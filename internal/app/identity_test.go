package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
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
