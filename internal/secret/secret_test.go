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
		"sqlite:/srv/a@b/x.db":  "sqlite:/srv/a@b/x.db",
		"":                      "",
		"postgres://bob:hush@db.example/x?sslmode=no":      "postgres://hidden@db.example/x?sslmode=no",
		"postgres://bob:hu%2Fsh@a:5432,b:5432/x":           "postgres://hidden@a:5432,b:5432/x",
		"postgres://bob:hush@[fd00::1]:5432/x":             "postgres://hidden@[fd00::1]:5432/x",
		"postgres://bob:hu@sh@db/x":                        "postgres://hidden@db/x",
		"postgres:///x?host=/run/postgresql":               "postgres:///x?host=/run/postgresql",
		"redis+sentinel://a/m?sentinel_password=hush":      "redis+sentinel://a/m?hidden",
		"redis://bob:hu%sh@db.example":                     "redis://hidden@db.example",
		"rediss+cluster://:hush@a:1,b:2?client_name=x":     "rediss+cluster://hidden@a:1,b:2?client_name=x",
		"postgres://db/x?user=bob&pass%77ord=hush":         "postgres://db/x?hidden",
		"postgres://db/x?application_name=y password=hush": "postgres://db/x?hidden",
		"postgres://db/x?sslkey=hush":                      "postgres://db/x?hidden",
		"postgres://db/x?a=%zz&b=hush":                     "postgres://db/x?hidden",
		"postgres:u:hush@h/d":                              "postgres:[secret]",
		"postgres://u:12#hush@h/d":                         "postgres:[secret]",
		"postgres://u:12/hush@h/d":                         "postgres:[secret]",
		"postgres://u:12?hush@h/d":                         "postgres:[secret]",
		"postgres://u:12?hush":                             "postgres://u:12?hidden",
		"postgres://u:hush":                                "postgres:[secret]",
		"postgres://u:hu sh@h/d":                           "postgres://hidden@h/d",
		"postgres://db password=hush":                      "postgres:[secret]",
		"postgres://db/x password=hush":                    "postgres:[secret]",
		"redis://:12/hu@sh?x@h:6379/0":                     "redis:[secret]",
		"host=db user=bob password=hush dbname=x":          "[secret]",
		"host=db user=bob password='a hush' dbname=x":      "[secret]",
		`host=db password = 'it\'s hush' sslmode=disable`:  "[secret]",
		"postgres:host=db password=hush":                   "postgres:[secret]",
		"hush":                                             "[secret]",
		"://bob:hush@db":                                   "[secret]",
		"postgres://bob:hush@db/x\x00":                     "postgres:[secret]",
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
		"postgres://bob:hu%2Fsh@db.example/x":                     "hu%2Fsh hu/sh",
		"redis://:hush@db.example":                                "hush hush",
		"redis://db.example":                                      "",
		"sqlite:data/a@b.db":                                      "",
		"memory":                                                  "",
		"postgres://u:12/hush@h/d":                                "12/hush 12/hush",
		"redis+sentinel://:a1@s/m?sentinel_password=b%2F2":        "a1 a1 b%2F2 b/2",
		"postgres://db/x?pass%77ord=hush":                         "hush",
		"host=db password=hush user=bob":                          "hush hush",
		`host=db sslpassword = 'it\'s a' user=bob password='b c'`: `it\'s a it's a b c b c`,
		"postgres:host=db password='open":                         "open open",
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

func TestURLWithAPasswordThatIsNotEncodedIsNotWellFormed(t *testing.T) {
	t.Parallel()
	for whole, want := range map[secret.URL]bool{
		"postgres://bob:hush@db.example/x?sslmode=no": true, "postgres:///x": true, "redis://db": true, "postgres://u:p@a,b/x": true, "postgres://u:a@b@h/x": true,
		"postgres:u:hush@h/d": false, "postgres://u:1#hush@h/d": false, "postgres://u:1/hush@h/d": false, "postgres://u:1?hush@h/d": false,
		"postgres:host=db": false, "host=db": false, "": false,
	} {
		if got := whole.WellFormed(); got != want {
			t.Errorf("%q: got %v, want %v", whole.Reveal(), got, want)
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
