package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

func TestKeySetMayHoldEachTypeOfKey(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"), jwk(t, ecKey().Public(), "k1", "use", "sig", "alg", "ES256"),
		jwk(t, edKey().Public(), "k3", "key_ops", []string{"verify"}))
	a := newAuth(t, withKeySet(s.URL))
	for name, token := range map[string]string{
		"RSA": signRS(t, "asha", "k1"), "EC under the same id": signES(t, "asha", "k1"),
		"Ed25519":     sign(t, jwt.SigningMethodEdDSA, edKey(), claimsOf("asha"), map[string]any{"kid": "k3"}),
		"without kid": sign(t, jwt.SigningMethodES256, ecKey(), claimsOf("asha"), nil),
	} {
		if got := askWith(t, a, token); got.body != "corp:asha" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if err := a.Ready(); err != nil {
		t.Error(err)
	}
}

func TestTokenWithoutKeyIDNeedsASingleKey(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"), jwk(t, otherRSA().Public(), "k2"))
	a := newAuth(t, withKeySet(s.URL))
	token := sign(t, jwt.SigningMethodRS256, rsaKey(), claimsOf("asha"), nil)
	if got := askWith(t, a, token); got.code != "invalid_token" || !strings.Contains(got.detail, "names no key") {
		t.Errorf("got %+v", got)
	}
}

func TestUnknownKeyIDLoadsRotatedKeys(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "old"))
	a := newAuth(t, withKeySet(s.URL))
	before := signRS(t, "asha", "old")
	if got := askWith(t, a, before); got.body != "corp:asha" {
		t.Fatalf("before the rotation: %+v", got)
	}
	s.serve(jwk(t, ecKey().Public(), "new"))
	if got := askWith(t, a, before); got.body != "corp:asha" {
		t.Errorf("before the new key was needed: %+v", got)
	}
	if got := askWith(t, a, signES(t, "asha", "new")); got.body != "corp:asha" {
		t.Errorf("with the new key: %+v", got)
	}
	if got := askWith(t, a, before); got.code != "invalid_token" {
		t.Errorf("a cached token whose key is gone: %+v", got)
	}
}

func TestTokensOfReplacedKeyAreRefused(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, ecKey().Public(), "k"))
	var c clock
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, CacheSize: 10, Now: c.Now})
	token := signES(t, "asha", "k")
	if got := askWith(t, a, token); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	s.serve(jwk(t, otherEC().Public(), "k"))
	if got := askWith(t, a, signES(t, "asha", "unknown")); got.code != "invalid_token" {
		t.Fatalf("got %+v", got)
	}
	if got := askWith(t, a, token); got.code != "invalid_token" || !strings.Contains(got.detail, "signature") {
		t.Errorf("got %+v", got)
	}
}

func TestReorderedKeySetKeepsCachedTokens(t *testing.T) {
	t.Parallel()
	rsa, ec := jwk(t, rsaKey().Public(), "k1"), jwk(t, ecKey().Public(), "k2")
	s := newKeyServer(t, rsa, ec)
	a := newAuth(t, withKeySet(s.URL))
	token := signRS(t, "asha", "k1")
	if got := askWith(t, a, token); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	s.serve(ec, rsa)
	if got := askWith(t, a, signES(t, "asha", "unknown")); got.code != "invalid_token" {
		t.Fatalf("got %+v", got)
	}
	if got := askWith(t, a, token); got.body != "corp:asha" || a.CacheStats().Hits != 1 {
		t.Errorf("got %+v and %+v", got, a.CacheStats())
	}
}

func TestKeySetIsReloadedOnSchedule(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, ecKey().Public(), "old"))
	log := newEvents()
	v := withKeySet(s.URL)
	v.Refresh = time.Second
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{v}, Log: slog.New(log), CacheSize: 10})
	token := signES(t, "asha", "old")
	if got := askWith(t, a, token); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	log.wait(t, "key set loaded")
	s.serve(jwk(t, otherEC().Public(), "new"))
	log.wait(t, "key set loaded")
	if got := askWith(t, a, token); got.code != "invalid_token" {
		t.Errorf("a token of a key that was withdrawn: %+v", got)
	}
}

func TestUnknownKeyIDsRarelyReloadTheSet(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	var c clock
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, Now: c.Now})
	if got := askWith(t, a, signRS(t, "asha", "k1")); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	many := func() {
		var all sync.WaitGroup
		for i := range 50 {
			token := signES(t, "asha", strings.Repeat("x", i+1))
			all.Go(func() {
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, auth.ErrInvalidToken) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
	}
	for _, want := range []int64{2, 2, 3, 3} {
		many()
		if got := s.calls.Load(); got != want {
			t.Errorf("got %d loads of the set, want %d", got, want)
		}
		if got := s.calls.Load(); got == 2 && want == 2 {
			c.advance(5 * time.Second) // too soon the first time, enough the second
		}
	}
}

func TestUnreachableKeySetAtStartMeansNotReady(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.Close()
	a := newAuth(t, withSecretNamed("other"), withKeySet(s.URL))
	got := askWith(t, a, signRS(t, "asha", "k1"))
	if got.status != http.StatusServiceUnavailable || got.code != "auth_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("got %+v", got)
	}
	if err := a.Ready(); err == nil || !strings.Contains(err.Error(), `"corp"`) || strings.Contains(err.Error(), "other") {
		t.Errorf("Ready returned %v", err)
	}
	elsewhere := claimsOf("asha")
	elsewhere["iss"] = "https://other.example"
	if got := askWith(t, a, signHS(t, elsewhere)); got.body != "other:asha" {
		t.Errorf("another issuer meanwhile: %+v", got)
	}
}

func withSecretNamed(name string) auth.Verifier {
	v := withSecret()
	v.Name, v.Issuer = name, "https://"+name+".example"
	return v
}

func TestVerifierIsReadyOnceKeySetIsReachable(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.answer(broken)
	log := newEvents()
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, Log: slog.New(log)})
	if line := log.wait(t, "cannot load key set"); !strings.Contains(line, "status 502") || !strings.Contains(line, "verifier=corp") {
		t.Errorf("got log line %q", line)
	}
	if a.Ready() == nil {
		t.Error("ready without a key")
	}
	s.serve(jwk(t, rsaKey().Public(), "k1"))
	log.wait(t, "key set loaded")
	if err := a.Ready(); err != nil {
		t.Error(err)
	}
	if got := askWith(t, a, signRS(t, "asha", "k1")); got.body != "corp:asha" {
		t.Errorf("got %+v", got)
	}
}

func TestOldKeysStayInUseWhileKeySetIsUnreachable(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	var c clock
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, Now: c.Now})
	if got := askWith(t, a, signRS(t, "asha", "k1")); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	for name, fail := range map[string]http.HandlerFunc{
		"an error":           broken,
		"no set":             func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"error":"maintenance"}`)) },
		"not JSON":           func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) },
		"dropped connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s.answer(fail)
		c.advance(11 * time.Second)
		calls := s.calls.Load()
		if got := askWith(t, a, signES(t, "asha", "k2")); got.code != "invalid_token" {
			t.Errorf("%s: an unknown key: %+v", name, got)
		}
		if s.calls.Load() == calls {
			t.Errorf("%s: the set was not requested", name)
		}
		if got := askWith(t, a, signRS(t, "asha", "k1")); got.body != "corp:asha" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if err := a.Ready(); err != nil {
		t.Error(err)
	}
}

func TestIssuerThatWithdrawsItsKeysHasNone(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{"an empty set": nil, "no usable key": {`{"kty":"oct","k":"c2VjcmV0"}`}} {
		s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
		a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, CacheSize: 10})
		token := signRS(t, "asha", "k1")
		if got := askWith(t, a, token); got.body != "corp:asha" {
			t.Fatalf("got %+v", got)
		}
		s.serve(keys...)
		if got := askWith(t, a, signES(t, "asha", "k2")); got.code != "invalid_token" { // loads the set again
			t.Errorf("%s: an unknown key: %+v", name, got)
		}
		if got := askWith(t, a, token); got.code != "invalid_token" || !strings.Contains(got.detail, "kid") {
			t.Errorf("%s: a token of before: got %+v, want it refused", name, got)
		}
	}
}

func TestKeysThatCannotBeLoadedAgainCountForADay(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	var c clock
	log := newEvents()
	v := withKeySet(s.URL)
	v.MaxLifetime = 48 * time.Hour
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{v}, Now: c.Now, CacheSize: 10, Log: slog.New(log)})
	claims := claimsOf("asha")
	claims["exp"] = time.Now().Add(47 * time.Hour).Unix()
	token := sign(t, jwt.SigningMethodRS256, rsaKey(), claims, map[string]any{"kid": "k1"})
	if got := askWith(t, a, token); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	log.wait(t, "key set loaded")
	s.answer(broken)
	c.advance(23 * time.Hour)
	if got := askWith(t, a, token); got.body != "corp:asha" {
		t.Errorf("after 23 h: got %+v", got)
	}
	c.advance(2 * time.Hour)
	if got := askWith(t, a, token); got.code != "auth_unavailable" || got.status != http.StatusServiceUnavailable {
		t.Errorf("after 25 h: got %+v, want 503", got)
	}
	if err := a.Ready(); err == nil || !strings.Contains(err.Error(), "max_key_age") {
		t.Errorf("got %v, want not ready", err)
	}
	s.serve(jwk(t, rsaKey().Public(), "k1"))
	c.advance(11 * time.Second)
	askWith(t, a, signES(t, "asha", "k2")) // loads the set again
	if got := askWith(t, a, token); got.body != "corp:asha" || a.Ready() != nil {
		t.Errorf("when the issuer is back: got %+v, %v", got, a.Ready())
	}
}

func TestSlowKeySetDelaysNoKnownKey(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	a := newPatientAuth(t, withKeySet(s.URL))
	if got := askWith(t, a, signRS(t, "asha", "k1")); got.body != "corp:asha" {
		t.Fatalf("got %+v", got)
	}
	s.hang(t)
	if got := askWith(t, a, signES(t, "asha", "k2")); got.code != "invalid_token" {
		t.Errorf("an unknown key: %+v", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Authenticate(gone, signES(t, "asha", "k3")); err == nil {
		t.Error("an unknown key was accepted")
	}
	if got := askWith(t, a, signRS(t, "bela", "k1")); got.body != "corp:bela" {
		t.Errorf("a known key meanwhile: %+v", got)
	}
}

func TestSlowKeySetAtStartDoesNotHangRequests(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.hang(t)
	a := newPatientAuth(t, withKeySet(s.URL))
	if got := askWith(t, a, signRS(t, "asha", "k1")); got.code != "auth_unavailable" {
		t.Errorf("got %+v", got)
	}
}
