package secret_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"casbroker/internal/secret"
)

func TestSecretsThatAreEasyToGuessAreRefused(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{
		"", "hunter2", strings.Repeat("a", 64), strings.Repeat("ab", 32), "your-256-bit-secret", "your-256-bit-secret-your-256-bit-secret",
		"a-string-secret-at-least-256-bits-long", "changeme-changeme-changeme-changeme", "secret-secret-secret-secret-secret",
		"abcdefghijklmnopqrstuvwxyz0123456789", "0123456789012345678901234567890123456789", strings.Repeat("\x00\x01", 32),
		"my-super-secret-jwt-key-for-the-app", "password1234567890password1234567890",
	} {
		if secret.CheckStrength(secret.Text(weak)) == nil {
			t.Errorf("%q: got nil, want %v", weak, secret.ErrWeak)
		}
	}
}

func TestRandomSecretsAreStrongEnough(t *testing.T) {
	t.Parallel()
	for range 2_000 {
		var b [32]byte
		_, _ = rand.Read(b[:])
		for _, strong := range []string{hex.EncodeToString(b[:16]), hex.EncodeToString(b[:]), base64.StdEncoding.EncodeToString(b[:24]), string(b[:])} {
			if err := secret.CheckStrength(secret.Text(strong)); err != nil {
				t.Errorf("%q: %v", strong, err)
			}
		}
	}
}
