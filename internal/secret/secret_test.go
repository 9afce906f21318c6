package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"casbroker/internal/secret"
)

func TestTextIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const hush = secret.Text("hush-hush")
	inside := struct {
		Key  secret.Text
		Keys []secret.Text
	}{hush, []secret.Text{hush}}
	asJSON, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info(hush.String(), "key", hush, "inside", inside)
	everything := string(asJSON) + log.String()
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d"} {
		everything += fmt.Sprintf(verb+verb, hush, inside)
	}
	everything += fmt.Errorf("failed: %w", errors.New(hush.String())).Error()
	if strings.Contains(everything, "hush") || strings.Contains(everything, "68757368") {
		t.Errorf("the secret is printed in %s", everything)
	}
	if hush.Reveal() != "hush-hush" || secret.Text("").String() != "" {
		t.Error("Reveal does not return the secret, or an empty Text is not printed as empty")
	}
}

func TestURLPrintsTheHostWithoutCredentials(t *testing.T) {
	t.Parallel()
	for whole, shown := range map[secret.URL]string{
		"memory":                "memory",
		"sqlite:data/broker.db": "sqlite:data/broker.db",
		"postgres://bob:hush@db.example/x?sslmode=no": "postgres://hidden@db.example/x?sslmode=no",
		"redis+sentinel://a/m?sentinel_password=hush": "redis+sentinel://a/m?hidden",
		"redis://bob:hu%sh@db.example":                "redis://hidden@db.example",
		"postgres:u:hush@h/d":                         "postgres://hidden@h/d",
		"postgres://u:12#hush@h/d":                    "postgres://hidden@h/d",
		"redis://:12/hu@sh?x@h:6379/0":                "redis://hidden@h:6379/0",
		"":                                            "",
	} {
		if got := whole.String(); got != shown {
			t.Errorf("got %s, want %s", got, shown)
		}
		if got := fmt.Sprintf("%#v%v", whole, whole); strings.Contains(got, "hush") {
			t.Errorf("the password is printed in %s", got)
		}
	}
}

func TestPasswordsOfAURL(t *testing.T) {
	t.Parallel()
	for whole, want := range map[secret.URL]string{
		"postgres://bob:hu%2Fsh@db.example/x": "hu%2Fsh hu/sh",
		"redis://:hush@db.example":            "hush hush",
		"redis://db.example":                  "",
		"sqlite:data/a@b.db":                  "",
		"memory":                              "",
	} {
		var got []string
		for _, p := range whole.Passwords() {
			got = append(got, p.Reveal())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", whole, got, want)
		}
	}
}

// newBox returns a Box with keys of these ids, the primary key first.
func newBox(t *testing.T, ids ...string) *secret.Box {
	t.Helper()
	var keys []secret.Key
	for _, id := range ids {
		keys = append(keys, secret.Key{ID: id, Secret: secret.Text(strings.Repeat(id[:1], secret.KeySize))})
	}
	box, err := secret.NewBox(secret.Text(strings.Repeat("h", secret.KeySize)), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestCiphertextOpensOnlyWithItsAssociatedData(t *testing.T) {
	t.Parallel()
	box := newBox(t, "a1")
	sealed := box.Seal("portfolio/1", []byte("plain"))
	if strings.Contains(string(sealed), "plain") {
		t.Error("the ciphertext contains the plain text")
	}
	if plain, err := box.Open("portfolio/1", sealed); err != nil || string(plain) != "plain" {
		t.Errorf("got %q, %v; want the plain text", plain, err)
	}
	if _, err := box.Open("portfolio/2", sealed); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("with other associated data: got %v, want %v", err, secret.ErrOpen)
	}
	for i := range sealed {
		damaged := append([]byte{}, sealed...)
		damaged[i] ^= 1
		if _, err := box.Open("portfolio/1", damaged); err == nil {
			t.Fatalf("the ciphertext opens with byte %d changed", i)
		}
		if _, err := box.Open("portfolio/1", sealed[:i]); err == nil {
			t.Fatalf("the first %d bytes of the ciphertext open", i)
		}
	}
}

func TestOldKeyStillOpensAfterRotation(t *testing.T) {
	t.Parallel()
	sealed := newBox(t, "a1").Seal("p", []byte("old"))
	rotated := newBox(t, "b2", "a1")
	if plain, err := rotated.Open("p", sealed); err != nil || string(plain) != "old" {
		t.Errorf("got %q, %v; want the plain text", plain, err)
	}
	if id, ok := secret.KeyID(rotated.Seal("p", nil)); !ok || id != "b2" {
		t.Errorf("sealed with key %q, want the primary key b2", id)
	}
	if again := string(rotated.Seal("p", nil)); !strings.HasPrefix(again, string(rotated.Prefix())) || strings.HasPrefix(string(sealed), string(rotated.Prefix())) {
		t.Errorf("prefix %q is not that of the primary key's ciphertexts alone", rotated.Prefix())
	}
	if _, err := newBox(t, "b2").Open("p", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("without the old key: got %v, want %v", err, secret.ErrUnknownKey)
	}
}

func TestEqualDataHasEqualDigestsForOnePurpose(t *testing.T) {
	t.Parallel()
	box := newBox(t, "a1")
	one, again := box.Digest("pan", []byte("x")), newBox(t, "b2").Digest("pan", []byte("x"))
	if string(one) != string(again) {
		t.Error("the digest depends on the encryption key")
	}
	if string(one) == string(box.Digest("other", []byte("x"))) || string(one) == string(box.Digest("pan", []byte("y"))) {
		t.Error("another purpose or other data has the same digest")
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Parallel()
	full := secret.Text(strings.Repeat("k", secret.KeySize))
	for name, newBox := range map[string]func() (*secret.Box, error){
		"no key":           func() (*secret.Box, error) { return secret.NewBox(full) },
		"a short hash key": func() (*secret.Box, error) { return secret.NewBox("short", secret.Key{ID: "a", Secret: full}) },
		"a short key":      func() (*secret.Box, error) { return secret.NewBox(full, secret.Key{ID: "a", Secret: "short"}) },
		"no id":            func() (*secret.Box, error) { return secret.NewBox(full, secret.Key{Secret: full}) },
		"an id used twice": func() (*secret.Box, error) {
			return secret.NewBox(full, secret.Key{ID: "a", Secret: full}, secret.Key{ID: "a", Secret: full})
		},
	} {
		if _, err := newBox(); err == nil || strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), "kkk") {
			t.Errorf("%s: got %v, want an error without the key", name, err)
		}
	}
}

func TestDisabledKeyNoLongerOpens(t *testing.T) {
	t.Parallel()
	old := secret.Key{ID: "old", Secret: secret.Text(strings.Repeat("o", secret.KeySize))}
	hash := secret.Text(strings.Repeat("h", secret.KeySize))
	before, err := secret.NewBox(hash, old)
	if err != nil {
		t.Fatal(err)
	}
	sealed := before.Seal("here", []byte("plain"))
	b, err := secret.NewBox(hash, secret.Key{ID: "new", Secret: secret.Text(strings.Repeat("n", secret.KeySize))}, old)
	if err != nil {
		t.Fatal(err)
	}
	if ids := strings.Join(b.IDs(), " "); ids != "new old" {
		t.Errorf("got keys %s, want new old", ids)
	}
	if plain, err := b.Open("here", sealed); err != nil || string(plain) != "plain" {
		t.Errorf("before: got %q, %v; want the plain text", plain, err)
	}
	if b.Disable("new") || b.Disable("none") || !b.Disable("old") || b.Disable("old") {
		t.Error("Disable does not return true for the old key alone, and once")
	}
	if _, err := b.Open("here", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("after: got %v, want %v", err, secret.ErrUnknownKey)
	}
	if plain, err := b.Open("here", b.Seal("here", []byte("more"))); err != nil || string(plain) != "more" {
		t.Errorf("the primary key: got %q, %v; want the plain text", plain, err)
	}
}

func TestRandomKeysAreFullLengthAndDiffer(t *testing.T) {
	t.Parallel()
	one, other := secret.RandomKey(), secret.RandomKey()
	if len(one) != secret.KeySize || len(other) != secret.KeySize || one == other {
		t.Errorf("got keys of %d and %d bytes, equal: %t", len(one), len(other), one == other)
	}
}
