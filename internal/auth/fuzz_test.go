package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

// FuzzAuthenticate checks that no text makes Authenticate panic, that each error is a
// declared fault, and that golang-jwt accepts the same tokens under the same rules.
func FuzzAuthenticate(f *testing.F) {
	a := newAuth(f, withSecret())
	good := signHS(f, claimsOf("asha"))
	claims := asJSON(f, claimsOf("asha"))
	for _, text := range []string{
		good, good + ".", changed(good, 0, segment(`{"alg":"none"}`)), changed(good, 2, ""), "", ".", "..", "a.b.c",
		signRaw(f, plainHeader, `{}`), signRaw(f, `{"alg":"HS256","crit":[]}`, claims), signRaw(f, plainHeader, claims+" "),
		signRaw(f, plainHeader, strings.Replace(claims, `"exp":`, `"exp":1e3,"x":`, 1)),
		changed(good, 1, segment(claims)+"\n"), strings.Repeat("A", 9000),
	} {
		f.Add(text)
	}
	strict := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second), jwt.WithStrictDecoding())
	f.Fuzz(func(t *testing.T, text string) {
		who, err := a.Authenticate(t.Context(), text)
		if err != nil {
			if !errors.Is(err, auth.ErrInvalidToken) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		var c jwt.RegisteredClaims
		if _, err := strict.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return sharedSecret(), nil }); err != nil {
			t.Fatalf("accepted, but golang-jwt returns %v", err)
		}
		if who.Subject != "demo:"+c.Subject || c.Subject == "" {
			t.Fatalf("accepted as %q, but its sub is %q", who.Subject, c.Subject)
		}
	})
}

// FuzzSignedClaims tries arbitrary claims in correctly signed tokens.
func FuzzSignedClaims(f *testing.F) {
	v := withSecret()
	v.Roles = auth.Roles{Claims: []string{"roles", "a.b", "a.b.c"}}
	a := newAuth(f, v)
	claims := asJSON(f, claimsOf("asha"))
	for _, text := range []string{
		claims, `null`, `[]`, `{"iss":"https://id.example"}`, strings.Repeat("[", 4000),
		strings.TrimSuffix(claims, "}") + `,"roles":[1,{},"casbroker:admin"],"a":{"b":{"c":"x"}}}`,
		strings.TrimSuffix(claims, "}") + `,"a":[{"b":1}],"roles":{"roles":[]}}`,
	} {
		f.Add(plainHeader, text)
	}
	f.Fuzz(func(t *testing.T, header, text string) {
		who, err := a.Authenticate(t.Context(), signRaw(t, header, text))
		switch {
		case err != nil && !errors.Is(err, auth.ErrInvalidToken):
			t.Fatalf("refused with %v", err)
		case err == nil && len(who.Subject) <= len("demo:"):
			t.Fatalf("accepted without a subject: %q", who.Subject)
		}
	})
}
