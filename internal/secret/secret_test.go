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

func TestATextShowsItselfToNobody(t *testing.T) {
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
		t.Errorf("shown in %s", everything)
	}
	if hush.Reveal() != "hush-hush" || secret.Text("").String() != "" {
		t.Error("the secret is lost, or nothing is hidden")
	}
}

func TestAURLShowsWhereButNotWithWhat(t *testing.T) {
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
			t.Errorf("%s, want %s", got, shown)
		}
		if got := fmt.Sprintf("%#v%v", whole, whole); strings.Contains(got, "hush") {
			t.Errorf("shown in %s", got)
		}
	}
}

func TestAURLTellsItsPasswords(t *testing.T) {
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

// newBox returns a Box whose keys have these ids; the first seals.
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

func TestWhatIsSealedOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	box := newBox(t, "a1")
	sealed := box.Seal("portfolio/1", []byte("plain"))
	if strings.Contains(string(sealed), "plain") {
		t.Error("it is not sealed")
	}
	if plain, err := box.Open("portfolio/1", sealed); err != nil || string(plain) != "plain" {
		t.Errorf("%q %v", plain, err)
	}
	if _, err := box.Open("portfolio/2", sealed); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("elsewhere: %v", err)
	}
	for i := range sealed {
		damaged := append([]byte{}, sealed...)
		damaged[i] ^= 1
		if _, err := box.Open("portfolio/1", damaged); err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
		if _, err := box.Open("portfolio/1", sealed[:i]); err == nil {
			t.Fatalf("%d bytes open", i)
		}
	}
}

func TestAfterARotationTheOldKeyStillOpens(t *testing.T) {
	t.Parallel()
	sealed := newBox(t, "a1").Seal("p", []byte("old"))
	rotated := newBox(t, "b2", "a1")
	if plain, err := rotated.Open("p", sealed); err != nil || string(plain) != "old" {
		t.Errorf("%q %v", plain, err)
	}
	if id, ok := secret.KeyID(rotated.Seal("p", nil)); !ok || id != "b2" {
		t.Errorf("sealed under %q", id)
	}
	if again := string(rotated.Seal("p", nil)); !strings.HasPrefix(again, string(rotated.Mark())) || strings.HasPrefix(string(sealed), string(rotated.Mark())) {
		t.Errorf("the mark %q does not tell what is sealed under which key", rotated.Mark())
	}
	if _, err := newBox(t, "b2").Open("p", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("without the old key: %v", err)
	}
}

func TestDigestsCompareWithinOnePurpose(t *testing.T) {
	t.Parallel()
	box := newBox(t, "a1")
	one, again := box.Digest("pan", []byte("x")), newBox(t, "b2").Digest("pan", []byte("x"))
	if string(one) != string(again) {
		t.Error("a digest changes with the sealing key")
	}
	if string(one) == string(box.Digest("other", []byte("x"))) || string(one) == string(box.Digest("pan", []byte("y"))) {
		t.Error("different things have the same digest")
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Parallel()
	full := secret.Text(strings.Repeat("k", secret.KeySize))
	for name, make := range map[string]func() (*secret.Box, error){
		"no key":       func() (*secret.Box, error) { return secret.NewBox(full) },
		"a short hash": func() (*secret.Box, error) { return secret.NewBox("short", secret.Key{ID: "a", Secret: full}) },
		"a short key":  func() (*secret.Box, error) { return secret.NewBox(full, secret.Key{ID: "a", Secret: "short"}) },
		"no id":        func() (*secret.Box, error) { return secret.NewBox(full, secret.Key{Secret: full}) },
		"the same twice": func() (*secret.Box, error) {
			return secret.NewBox(full, secret.Key{ID: "a", Secret: full}, secret.Key{ID: "a", Secret: full})
		},
	} {
		if _, err := make(); err == nil || strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), "kkk") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADroppedKeyIsAsIfItWereNotThere(t *testing.T) {
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
		t.Errorf("the keys are %s", ids)
	}
	if plain, err := b.Open("here", sealed); err != nil || string(plain) != "plain" {
		t.Errorf("before: %q, %v", plain, err)
	}
	if b.Drop("new") || b.Drop("none") || !b.Drop("old") || b.Drop("old") {
		t.Error("what was dropped is not what was told")
	}
	if _, err := b.Open("here", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("after: %v", err)
	}
	if plain, err := b.Open("here", b.Seal("here", []byte("more"))); err != nil || string(plain) != "more" {
		t.Errorf("the first key: %q, %v", plain, err)
	}
}
