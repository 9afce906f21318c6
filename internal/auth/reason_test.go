package auth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
)

func TestRefusedTokenNamesTheCheckForTheRecord(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	a := newAuth(t, withSecretNamed("app"), withKeySet(s.URL))
	own := func(name string, value any) string {
		c := with(name, value)
		if name != "iss" {
			c["iss"] = "https://app.example"
		}
		return signHS(t, c)
	}
	for token, want := range map[string]string{
		"x.y.z":                            "malformed",
		own("iss", "https://evil.example"): "issuer",
		own("aud", "other"):                "audience",
		own("exp", time.Now().Unix()-1):    "expired",
		own("nbf", time.Now().Unix()+1000): "not_yet_valid",
		own("sub", ""):                     "subject",
		signRS(t, "asha", "k2"):            "key_unknown",
		sign(t, jwt.SigningMethodRS256, otherRSA(), claimsOf("asha"), map[string]any{"kid": "k1"}): "signature",
	} {
		_, err := a.Authenticate(t.Context(), token)
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || !errors.Is(err, auth.ErrInvalidToken) || f.Reason != want {
			t.Errorf("got %v (%+v), want the reason %q", err, f, want)
		}
	}
}
