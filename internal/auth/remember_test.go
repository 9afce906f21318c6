package auth_test

import (
	"testing"
	"time"

	"casbroker/internal/auth"
)

func TestVerifiedTokenIsCachedUntilItExpires(t *testing.T) {
	t.Parallel()
	var c clock
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withSecret()}, CacheSize: 10, Now: c.Now})
	token := signHS(t, claimsOf("asha"))
	for range 3 {
		if got := askWith(t, a, token); got.body != "demo:asha" {
			t.Fatalf("got %+v", got)
		}
	}
	if got, want := a.CacheStats(), (auth.CacheStats{Hits: 2, Misses: 1, Entries: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c.advance(15 * time.Minute)
	if got := askWith(t, a, token); got.code != "invalid_token" {
		t.Errorf("after its expiry: %+v", got)
	}
}

func TestRefusedTokenIsNotCached(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	token := signHS(t, with("aud", "other"))
	for range 2 {
		if got := askWith(t, a, token); got.code != "invalid_token" {
			t.Fatalf("got %+v", got)
		}
	}
	if got, want := a.CacheStats(), (auth.CacheStats{Misses: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCacheOfSizeZeroCachesNothing(t *testing.T) {
	t.Parallel()
	a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withSecret()}})
	token := signHS(t, claimsOf("asha"))
	for range 2 {
		if got := askWith(t, a, token); got.body != "demo:asha" {
			t.Fatalf("got %+v", got)
		}
	}
	if got, want := a.CacheStats(), (auth.CacheStats{Misses: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
