package auth_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

func TestUnsuitableKeysAreLeftOut(t *testing.T) {
	t.Parallel()
	public := jwk(t, rsaKey().Public(), "k1")
	for name, tt := range map[string]struct{ key, why string }{
		"a symmetric key":          {asJSON(t, map[string]any{"kty": "oct", "kid": "k1", "k": segment(string(sharedSecret()))}), "symmetric key"},
		"a symmetric key as RSA":   {edited(t, public, "k", segment("x")), "symmetric key"},
		"a private key":            {jwk(t, rsaKey(), "k1"), "private key"},
		"a key for encryption":     {edited(t, public, "use", "enc"), "not for signatures"},
		"a key for other work":     {edited(t, public, "key_ops", []string{"encrypt"}), "not for verifying"},
		"a key for RS512":          {edited(t, public, "alg", "RS512"), "not for RS256"},
		"an RSA key of 1024 bits":  {jwk(t, weakRSA().Public(), "k1"), "2048"},
		"a curve that is not ours": {edited(t, jwk(t, ecKey().Public(), "k1"), "crv", "secp256k1"), "not usable"},
		"a point off the curve":    {edited(t, jwk(t, ecKey().Public(), "k1"), "x", segment(strings.Repeat("x", 32))), "not usable"},
		"an unknown kind of key":   {`{"kty":"AKP","kid":"k1"}`, "not usable"},
		"no object":                {`"k1"`, "not a JWK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t, tt.key)
			log := newEvents()
			a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, Log: slog.New(log)})
			if line := log.wait(t, "cannot load key set"); !strings.Contains(line, tt.why) {
				t.Errorf("log: got %q, want %q", line, tt.why)
			}
			if a.Ready() == nil {
				t.Error("ready without a usable key")
			}
			hs := sign(t, jwt.SigningMethodHS256, sharedSecret(), claimsOf("asha"), map[string]any{"kid": "k1"})
			if got := askWith(t, a, hs); got.code != "invalid_token" {
				t.Errorf("HS256: %+v", got)
			}
			s2 := newKeyServer(t, tt.key, jwk(t, edKey().Public(), "good"))
			token := sign(t, jwt.SigningMethodEdDSA, edKey(), claimsOf("asha"), map[string]any{"kid": "good"})
			if got := askWith(t, newAuth(t, withKeySet(s2.URL)), token); got.body != "corp:asha" {
				t.Errorf("next to a valid key: %+v", got)
			}
		})
	}
}
