package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
)

// load returns the settings in a file with this text.
func load(t *testing.T, text string) config.Config {
	t.Helper()
	c, err := config.Load(config.Default(), write(t, text), nil)
	if err != nil {
		t.Fatalf("%q: got %v", text, err)
	}
	return c
}

func TestQuotedKeysAreReadAndReportedLikePlainOnes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"store:\n  url: sqlite:x.db\nseal:\n  keys:\n    - id: k7\n",
		"\"store\":\n  \"url\": sqlite:x.db\n\"seal\":\n  \"keys\":\n    - \"id\": k7\n",
		"'store': {'url': sqlite:x.db}\n'seal': {'keys': [{'id': k7}]}\n",
		`{"store": {"url": "sqlite:x.db"}, "seal": {"keys": [{"id": "k7"}]}}`,
		"? store\n: ? \"url\"\n  : sqlite:x.db\n? 'seal'\n: keys: [{id: k7}]\n",
	} {
		c := load(t, text)
		if c.Store.URL != "sqlite:x.db" || len(c.Seal.Keys) != 1 || c.Seal.Keys[0].ID != "k7" {
			t.Errorf("%q: got %s and %+v", text, c.Store.URL, c.Seal.Keys)
		}
	}
	_, err := config.Load(config.Default(), write(t, "\"logg\": {}\n'upstream':\n  \"api_kee\": x\n  \"attempts\": many\n"), nil)
	for _, want := range []string{"line 1: logg: there is no", "line 3: upstream.api_kee: there is no", "line 4: upstream.attempts: want a whole number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestTextSettingsTakeTheScalarAsWritten(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"0123": "0123", "1e3": "1e3", "1.50": "1.50", "1.0e3": "1.0e3", "0x1F": "0x1F", "0o17": "0o17", "1_000": "1_000", "-0": "-0", "+1": "+1",
		"yes": "yes", "no": "no", "On": "On", "true": "true", "False": "False", ".inf": ".inf", ".NaN": ".NaN",
		"2020-01-01": "2020-01-01", "12:30:45": "12:30:45", "nullable": "nullable", "nil": "nil", "None": "None",
		`"null"`: "null", `'~'`: "~", `"0123"`: "0123", "'it''s'": "it's", `"a\tb"`: "a\tb", "!!str 0123": "0123", "!!str true": "true",
		"two words": "two words", "x # a comment": "x", "x#y": "x#y", "Ĵoš": "Ĵoš", `""`: "",
		"18446744073709551616000": "18446744073709551616000",
	} {
		for _, end := range []string{"\n", "\r\n", ""} {
			c := load(t, "upstream:"+lineBreak(end)+"  api_key: "+written+end)
			if got := c.Upstream.APIKey.Reveal(); got != want {
				t.Errorf("%s: got %q, want %q", written, got, want)
			}
		}
		c := load(t, "log: {level: "+strings.TrimSuffix(written, " # a comment")+"}\ncache:\n  url: "+written+"\nauth:\n  verifiers:\n    - audience:\n        - "+written+"\n")
		if c.Log.Level != want || c.Cache.URL.Reveal() != want || !slices.Equal(c.Auth.Verifiers[0].Audience, []string{want}) {
			t.Errorf("%s: got %q, %q and %q, want %q", written, c.Log.Level, c.Cache.URL.Reveal(), c.Auth.Verifiers[0].Audience, want)
		}
	}
	if c := load(t, "upstream:\n  api_key: |\n    one\n    two\n"); c.Upstream.APIKey.Reveal() != "one\ntwo\n" {
		t.Errorf("got %q", c.Upstream.APIKey.Reveal())
	}
}

// lineBreak returns the line break of a file whose last line ends with end.
func lineBreak(end string) string {
	if end == "" {
		return "\n"
	}
	return end
}

func TestNullLeavesTheDefault(t *testing.T) {
	t.Parallel()
	for _, written := range []string{"", "null", "Null", "NULL", "~"} {
		c := load(t, "log:\n  level: "+written+"\nupstream:\n  api_key: "+written+"\nserver: "+written+"\n")
		if c.Log.Level != "info" || c.Upstream.APIKey != "" || c.Server.Address != config.Default().Server.Address {
			t.Errorf("%q: got %+v", written, c.Log)
		}
	}
	if _, err := config.Load(config.Default(), write(t, "auth: {trusted_origins: [a, null]}"), nil); err == nil || !strings.Contains(err.Error(), "auth.trusted_origins[1]: want a text") {
		t.Errorf("got %v", err)
	}
}

func TestByteOrderMarkAndDirectivesAreSkipped(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"\uFEFF", "\uFEFF---\n", "%YAML 1.2\n---\n", "\uFEFF# settings\n"} {
		if c := load(t, before+"token: {lifetime: 7m}\n"); c.Token.Lifetime != 7*time.Minute {
			t.Errorf("%q: got %s", before, c.Token.Lifetime)
		}
	}
	for text, want := range map[string]string{
		"\xff\xfel\x00o\x00g\x00": "line 1: not a text in UTF-8", "log:\n  level: caf\xe9\n": "line 2: not a text in UTF-8",
	} {
		_, err := config.Load(config.Default(), write(t, text), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "caf") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestAnchorsAliasesAndMergeKeysAreTaken(t *testing.T) {
	t.Parallel()
	c := load(t, `
ratelimit:
  token: &usual {user: 5-M, address: &ten 10-M, all: 100-M}
  save: *usual
  read:
    address: 20-M
    <<: *usual
  upload:
    <<: [{user: 1-M}, *usual]
  failures: *ten
server: &server
  allowed_origins: &origins [https://a.example, &b https://b.example]
auth:
  trusted_origins: *origins
  verifiers:
    - &app
      name: app
      leeway: 5s
      roles: {admin: [boss]}
    - <<: *app
      name: second
      audience: [*b]
      roles: {service: [svc]}
seal: {keys: [&k {id: k1, key: 0123}, {<<: *k, id: k2}]}
`)
	usual := config.Limits{User: "5-M", Address: "10-M", All: "100-M", Mode: config.ModeEnforce}
	if r := c.RateLimit; r.Token != usual || r.Save != usual || r.Read != (config.Limits{User: "5-M", Address: "20-M", All: "100-M", Mode: config.ModeEnforce}) ||
		r.Upload != (config.Limits{User: "1-M", Address: "10-M", All: "100-M", Mode: config.ModeEnforce}) || r.Failures != "10-M" {
		t.Errorf("got %+v", r)
	}
	if origins := []string{"https://a.example", "https://b.example"}; !slices.Equal(c.Auth.TrustedOrigins, origins) || !slices.Equal(c.Server.AllowedOrigins, origins) {
		t.Errorf("got %v and %v", c.Auth.TrustedOrigins, c.Server.AllowedOrigins)
	}
	first, second := c.Auth.Verifiers[0], c.Auth.Verifiers[1]
	if first.Name != "app" || second.Name != "second" || second.Leeway != 5*time.Second || second.Audience[0] != "https://b.example" {
		t.Errorf("got %+v and %+v", first, second)
	}
	if slices.Contains(second.Roles.Admin, "boss") || !slices.Equal(second.Roles.Service, []string{"svc"}) {
		t.Errorf("got %+v: a key replaces the whole value that is merged", second.Roles)
	}
	if k := c.Seal.Keys; k[0].Key.Reveal() != "0123" || k[1].Key.Reveal() != "0123" || k[1].ID != "k2" {
		t.Errorf("got %+v", k)
	}
}

func TestWrongAliasesAreRefusedWithTheirLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"log:\n  level: *none\n":                      "line 2: log.level: there is no &none before this",
		"ratelimit:\n  token: *t\n  save: &t {}\n":    "line 2: ratelimit.token: there is no &t",
		"ratelimit:\n  token: &t\n    user: *t\n":     "line 3: ratelimit.token.user: there is no &t",
		"ratelimit:\n  token: {<<: *t}\n":             "line 2: ratelimit.token: there is no &t",
		"ratelimit:\n  token: {<<: 5-M}\n":            "line 2: ratelimit.token: want keys",
		"ratelimit:\n  token: {<<: {usr: 5-M}}\n":     "line 2: ratelimit.token.usr: there is no such setting",
		"log:\n  level: info\n  ? level\n  : debug\n": "already defined",
		"log: {level: info}\n---\n- x\n":              "line 3: want one document",
		"log: &l [debug]\nupstream: {api_key: *l}\n":  "upstream.api_key: want a text",
	} {
		_, err := config.Load(config.Default(), write(t, text), nil)
		if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "level is there twice") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzSettingsFile(f *testing.F) {
	for _, text := range []string{"a: &x {b: *x}", "\"log\": {level: 0123}", "ratelimit: {token: &t {user: 5-M}, save: {<<: [*t, *t]}}", "? [a, b]\n: c", "%YAML 1.2\n---\n", "log: !!str x", "M%ALY 1\x7f2\n---"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "settings")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Default(), path, nil)
		if err == nil {
			_ = c.Validate()
		}
	})
}

func TestDeepNestingIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for _, opening := range []string{"[", "{a: ", "- ", "? ", "!!seq ", "&a "} {
		text := "log:\n  level: info\nstore: " + strings.Repeat(opening, 100_000)
		if opening == "- " || opening == "? " {
			text = "log:\n  level: info\n" + strings.Repeat(opening, 100_000)
		}
		_, err := config.Load(config.Default(), write(t, text), nil)
		if err == nil || !strings.Contains(err.Error(), "line 3: nested more than 100 deep") {
			t.Errorf("%q: got %.200v", opening, err)
		}
	}
}

func TestMappingsThatMergeOneAnotherManyTimesAreReadOnce(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("webhooks: &m0 {allow_private: [127.0.0.1/32]}\n")
	const levels = 40
	for level := 1; level <= levels; level++ {
		merged := strings.Repeat(fmt.Sprintf("*m%d, ", level-1), 9)
		fmt.Fprintf(&text, "x%d: &m%d {<<: [%s]}\n", level, level, strings.TrimSuffix(merged, ", "))
	}
	fmt.Fprintf(&text, "log: {<<: *m%d}\n", levels)
	_, err := config.Load(config.Default(), write(t, text.String()), nil)
	if err == nil || !strings.Contains(err.Error(), "log.allow_private: there is no") {
		t.Errorf("got %v, want the key that is merged into log", err)
	}
}
