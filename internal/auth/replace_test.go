package auth_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

// secrets that take turns.
const (
	firstSecret  = "q7Zp0v1Tb4Xk9Rm2Ws6Yd8Ue3Ig5Oh1A"
	secondSecret = "Lf2Nc7Vb9Mx4Qa1Ws5Ed8Rf0Tg6Yh3Uj"
	thirdSecret  = "Pz8Kx1Jc4Hv7Gb2Fn9Dm5Sa0Qw6Er3Ty"
)

// signWith returns a token of asha that is signed with a secret.
func signWith(t testing.TB, key secret.Text) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(key.Reveal()), claimsOf("asha"), nil)
}

// rotating returns a verifier with several secrets.
func rotating(secrets ...secret.Text) auth.Verifier {
	v := withSecret()
	v.Secret, v.Secrets = "", secrets
	return v
}

func TestEachOfSeveralSecretsVerifies(t *testing.T) {
	t.Parallel()
	a := newAuth(t, rotating(firstSecret, secondSecret))
	for key, ok := range map[secret.Text]bool{firstSecret: true, secondSecret: true, thirdSecret: false} {
		got := askWith(t, a, signWith(t, key))
		if (got.body == "demo:asha") != ok || !ok && (got.code != "invalid_token" || !strings.Contains(got.detail, "signature")) {
			t.Errorf("%.4s…: got %+v", key.Reveal(), got)
		}
	}
}

func TestEachOfSeveralSecretsIsJudged(t *testing.T) {
	t.Parallel()
	both := rotating(firstSecret)
	both.Secret = secondSecret
	for want, v := range map[string]auth.Verifier{
		".secrets[1]: it is easy to guess":            rotating(firstSecret, "your-256-bit-secret-your-256-bit-secret"),
		".secrets[0]: HS256 needs a secret of 32":     rotating("q7Zp0v1Tb4Xk9Rm2Ws6", firstSecret),
		".secrets[1]: required":                       rotating(firstSecret, ""),
		": want exactly one of secret, secrets,":      both,
		".secrets[0]: this is a PEM file":             rotating("-----BEGIN PUBLIC KEY-----"),
		".algorithms: RS256 cannot be used with secr": func() auth.Verifier { v := rotating(firstSecret); v.Algorithms = []string{"RS256"}; return v }(),
	} {
		_, err := auth.New(t.Context(), auth.Options{Verifiers: []auth.Verifier{v}})
		if err == nil || !strings.Contains(err.Error(), "auth.verifiers[0]"+want) {
			t.Errorf("got %v, want …%s", err, want)
		}
	}
}

func TestCachedTokenEndsWithTheSecretThatVerifiedIt(t *testing.T) {
	t.Parallel()
	a := newAuth(t, rotating(firstSecret, secondSecret), withSecretNamed("other"))
	first, second := signWith(t, firstSecret), signWith(t, secondSecret)
	for range 2 { // the second time from the cache
		for _, token := range []string{first, second} {
			if got := askWith(t, a, token); got.body != "demo:asha" {
				t.Fatalf("got %+v", got)
			}
		}
	}
	if hits := a.CacheStats().Hits; hits != 2 {
		t.Fatalf("got %d tokens from the cache, want 2", hits)
	}
	if err := a.ReplaceSecrets("demo", thirdSecret, firstSecret); err != nil {
		t.Fatal(err)
	}
	for token, ok := range map[string]bool{first: true, second: false, signWith(t, thirdSecret): true} {
		if got := askWith(t, a, token); (got.body == "demo:asha") != ok {
			t.Errorf("got %+v, want accepted: %v", got, ok)
		}
	}
	if err := a.ReplaceSecrets("demo", secondSecret); err != nil {
		t.Fatal(err)
	}
	if got := askWith(t, a, first); got.code != "invalid_token" {
		t.Errorf("a token of a secret that is gone: got %+v", got)
	}
}

func TestPublicKeyIsReplaced(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withPublicKey(t, rsaKey().Public(), "RS256"))
	old := sign(t, jwt.SigningMethodRS256, rsaKey(), claimsOf("asha"), nil)
	if got := askWith(t, a, old); got.body != "demo:asha" {
		t.Fatalf("got %+v", got)
	}
	if err := a.ReplacePublicKey("demo", publicPEM(t, weakRSA().Public())); err == nil {
		t.Error("a weak key was put into use")
	}
	if err := a.ReplacePublicKey("demo", publicPEM(t, otherRSA().Public())); err != nil {
		t.Fatal(err)
	}
	if got := askWith(t, a, old); got.code != "invalid_token" {
		t.Errorf("a token of the key that was replaced: got %+v", got)
	}
	if got := askWith(t, a, sign(t, jwt.SigningMethodRS256, otherRSA(), claimsOf("asha"), nil)); got.body != "demo:asha" {
		t.Errorf("a token of the new key: got %+v", got)
	}
}

func TestKeysThatCannotBeUsedReplaceNothing(t *testing.T) {
	t.Parallel()
	key, hash := newServiceKey(t, "payroll")
	corp := withKeySet("https://id.example/keys")
	corp.Issuer = "https://corp.example"
	a := newAuthWith(t, auth.Options{
		Verifiers:   []auth.Verifier{rotating(firstSecret), corp},
		ServiceKeys: []auth.ServiceKey{{Name: "payroll", Hash: hash, Scopes: []string{"token:write"}, ActsFor: []string{"demo"}}},
	})
	for name, err := range map[string]error{
		"weak":        a.ReplaceSecrets("demo", secondSecret, "changemechangemechangemechangeme"),
		"none":        a.ReplaceSecrets("demo"),
		"unknown":     a.ReplaceSecrets("nobody", secondSecret),
		"a key set":   a.ReplaceSecrets("corp", secondSecret),
		"no hash":     a.ReplaceServiceKey("payroll", secret.Text(key), ""),
		"no previous": a.ReplaceServiceKey("payroll", hash, "x"),
		"no service":  a.ReplaceServiceKey("nobody", hash, ""),
	} {
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "changeme") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error has the secret", name)
		}
	}
	if got := askWith(t, a, signWith(t, firstSecret)); got.body != "demo:asha" {
		t.Errorf("got %+v", got)
	}
	if got := askWith(t, a, key); got.body != "key:payroll" {
		t.Errorf("got %+v", got)
	}
}

func TestServiceKeyIsReplacedWithItsOverlap(t *testing.T) {
	t.Parallel()
	oldKey, oldHash := newServiceKey(t, "payroll")
	newKey, newHash := newServiceKey(t, "payroll")
	a := newAuthWith(t, auth.Options{
		Verifiers:   []auth.Verifier{withSecret()},
		ServiceKeys: []auth.ServiceKey{{Name: "payroll", Hash: oldHash, Scopes: []string{"token:write"}, ActsFor: []string{"demo"}}},
	})
	accepted := func() (list string) {
		for name, key := range map[string]string{"old": oldKey, "new": newKey} {
			if askWith(t, a, key).body == "key:payroll" {
				list += name
			}
		}
		return list
	}
	if got := accepted(); got != "old" {
		t.Errorf("got %s", got)
	}
	if err := a.ReplaceServiceKey("payroll", newHash, oldHash); err != nil {
		t.Fatal(err)
	}
	if got := accepted(); len(got) != 6 {
		t.Errorf("during the overlap: got %s, want both", got)
	}
	if err := a.ReplaceServiceKey("payroll", newHash, ""); err != nil {
		t.Fatal(err)
	}
	if got := accepted(); got != "new" {
		t.Errorf("got %s", got)
	}
}

func TestSecretsAreReplacedWhileTokensAreVerified(t *testing.T) {
	t.Parallel()
	a := newAuth(t, rotating(firstSecret, secondSecret))
	kept := signWith(t, secondSecret)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if got := askWith(t, a, kept); got.body != "demo:asha" {
					t.Errorf("got %+v", got)
					return
				}
			}
		})
	}
	for i := range 100 {
		if err := a.ReplaceSecrets("demo", []secret.Text{firstSecret, thirdSecret}[i%2], secondSecret); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}
