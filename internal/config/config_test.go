package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"casbroker/internal/config"
	"casbroker/internal/secret"
)

const example = "../../config/broker.yaml"

// Two different keys that pass validation.
const (
	hashKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	sealKey = "YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk="
)

func TestExampleFileHasEveryKeyAndTheDefaults(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var inFile map[string]any
	if err := yaml.Unmarshal(text, &inFile); err != nil {
		t.Fatal(err)
	}
	sameKeys(t, "", inFile, reflect.TypeFor[config.Config]())

	got, err := config.Load(config.Config{}, example, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.Auth.Verifiers, got.Seal.Keys = nil, nil // examples, without a default
	if want := config.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want the defaults %+v", got, want)
	}
}

func TestCopyOfTheExampleFileHasTheDefaultsInForce(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Default(), example, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := load(t, `
auth: {verifiers: [{name: app, issuer: "https://app.example", audience: [casbroker], algorithms: [HS256], max_lifetime: 1h}]}
seal: {keys: [{id: k1}]}
`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, e := range got.List() {
		given := slices.Contains([]string{
			"auth.verifiers[0].name", "auth.verifiers[0].issuer", "auth.verifiers[0].audience", "auth.verifiers[0].algorithms",
			"auth.verifiers[0].max_lifetime", "seal.keys[0].id",
		}, e.Key)
		if e.Default == given {
			t.Errorf("%s is listed with default %v", e.Key, e.Default)
		}
	}
	var out bytes.Buffer
	if err := got.Print(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "service:\n          - casbroker:service\n") || !strings.Contains(out.String(), "claims:\n          - roles\n          - scope\n") {
		t.Errorf("got %s, want the roles that are in force", out.String())
	}
}

// lists calls visit with the key of each list of texts of a setting of type t.
func lists(t reflect.Type, key string, visit func(key string)) {
	switch {
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			lists(t.Field(i).Type, strings.TrimPrefix(key+"."+t.Field(i).Tag.Get("yaml"), "."), visit)
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		lists(t.Elem(), key+".0", visit)
	case t.Kind() == reflect.Slice:
		visit(key)
	}
}

func TestEmptyListMeansTheSameAsAMissingOne(t *testing.T) {
	t.Parallel()
	tested := 0
	lists(reflect.TypeFor[config.Config](), "", func(key string) {
		tested++
		// A file with nothing but this list, and one with nothing but the mapping around it.
		empty, missing := "[]", "{}"
		parts := strings.Split(key, ".")
		for i, part := range slices.Backward(parts) {
			if part == "0" {
				empty, missing = "["+empty+"]", "["+missing+"]"
				continue
			}
			empty = "{" + part + ": " + empty + "}"
			if i < len(parts)-1 {
				missing = "{" + part + ": " + missing + "}"
			}
		}
		want := load(t, missing)
		if got := load(t, empty); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v as with %s", empty, got, want, missing)
		}
		name := config.Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		got, err := config.Load(config.Default(), write(t, missing), []string{name + "="})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s=: got %+v and %v, want %+v", name, got, err, want)
		}
	})
	if tested < 10 {
		t.Errorf("got only %d lists", tested)
	}
}

// sameKeys fails for each key under prefix that only the file or only the settings have.
func sameKeys(t *testing.T, prefix string, inFile map[string]any, settings reflect.Type) {
	t.Helper()
	for i := range settings.NumField() {
		f := settings.Field(i)
		key := f.Tag.Get("yaml")
		value, ok := inFile[key]
		if !ok {
			t.Errorf("the file lacks %s%s", prefix, key)
			continue
		}
		delete(inFile, key)
		inner := f.Type
		if list, isList := value.([]any); isList && inner.Kind() == reflect.Slice && len(list) > 0 {
			value, inner = list[0], inner.Elem()
		}
		if below, isMap := value.(map[string]any); isMap {
			sameKeys(t, prefix+key+".", below, inner)
		}
	}
	for key := range inFile {
		t.Errorf("the file has an unknown key %s%s", prefix, key)
	}
}

func TestEnvironmentOverridesFileAndFileOverridesDefaults(t *testing.T) {
	t.Parallel()
	file := write(t, "token: {lifetime: 30m, min_remaining: 5m}\nauth: {verifiers: [{name: app, issuer: a}]}")
	c, err := config.Load(config.Default(), file, []string{
		"CASBROKER_TOKEN_LIFETIME=20m",
		"CASBROKER_AUTH_VERIFIERS_0_ISSUER=https://app.example",
		"CASBROKER_AUTH_VERIFIERS_1_AUDIENCE=one, two",
		"CASBROKER_STORE_MIGRATE_AT_START=false",
		"CASBROKER_PORTFOLIO_MAX_BODY=2MiB",
		"CASBROKER_AUTH_CACHE_SIZE=7KiB",
		"PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Token.Lifetime != 20*time.Minute || c.Token.MinRemaining != 5*time.Minute || c.Upstream.Attempts != 3 {
		t.Errorf("got %+v %+v, want lifetime 20m, min_remaining 5m and 3 attempts", c.Token, c.Upstream)
	}
	v := c.Auth.Verifiers
	if len(v) != 2 || v[0].Name != "app" || v[0].Issuer != "https://app.example" || len(v[1].Audience) != 2 || v[1].Audience[1] != "two" {
		t.Errorf("got %+v, want two verifiers, the first from the file with its issuer replaced", v)
	}
	if c.Store.MigrateAtStart || c.Portfolio.MaxBody != 2<<20 || c.Auth.CacheSize != 7<<10 {
		t.Errorf("got %+v, want migrate_at_start false, max_body 2MiB and cache_size 7KiB", c)
	}
}

func TestSecretIsReadFromAFile(t *testing.T) {
	t.Parallel()
	file := write(t, "the-key\n")
	c, err := config.Load(config.Default(), "", []string{"CASBROKER_SEAL_HASH_KEY_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	if c.Seal.HashKey.Reveal() != "the-key" {
		t.Errorf("got %d bytes, want the key without its line break", len(c.Seal.HashKey))
	}
}

func TestSecretsMayBeTextsOrFiles(t *testing.T) {
	t.Parallel()
	file := write(t, `
auth:
  verifiers:
    - name: app
      secrets: [first-secret, {secret_file: /run/secrets/second}, {secret: third-secret}]
    - {name: other, secret_file: /run/secrets/other}
webhooks:
  endpoints: [{name: backend, secrets: [whsec_x]}]
`)
	c, err := config.Load(config.Default(), file, []string{
		"CASBROKER_AUTH_VERIFIERS_0_SECRETS_1_SECRET=second-secret", "CASBROKER_AUTH_VERIFIERS_0_SECRETS_3_SECRET_FILE=/run/secrets/fourth",
		"CASBROKER_AUTH_SERVICE_KEYS_0_HASH_FILE=/run/secrets/hash", "CASBROKER_AUTH_SERVICE_KEYS_0_PREVIOUS_HASH_FILE=/run/secrets/previous",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Secret{{Secret: "first-secret"}, {Secret: "second-secret"}, {Secret: "third-secret"}, {SecretFile: "/run/secrets/fourth"}}
	if v := c.Auth.Verifiers; !slices.Equal(v[0].Secrets, want) || v[1].SecretFile != "/run/secrets/other" {
		t.Errorf("got %+v", v)
	}
	if k := c.Auth.ServiceKeys[0]; k.HashFile != "/run/secrets/hash" || k.PreviousFile != "/run/secrets/previous" {
		t.Errorf("got %+v", k)
	}
	if s := c.Webhooks.Endpoints[0].Secrets; len(s) != 1 || s[0].Secret.Reveal() != "whsec_x" {
		t.Errorf("got %+v", s)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil || strings.Contains(out.String(), "-secret\n") || strings.Contains(out.String(), "whsec_x") {
		t.Errorf("got %v and secrets in %s", err, out.String())
	}
}

func TestAdminKeysComeFromTheFileAndTheEnvironment(t *testing.T) {
	t.Parallel()
	const hash = "sha256:dGFndGFndGFndGFndGFndGFndGFndGFndGFndGFndGE"
	file := write(t, "admin:\n  keys:\n    - name: asha\n      hash: '"+hash+"'\n")
	c, err := config.Load(config.Default(), file, []string{
		"CASBROKER_ADMIN_KEYS_1_NAME=rohan", "CASBROKER_ADMIN_KEYS_1_HASH_FILE=/run/secrets/rohan", // which package app reads
		"CASBROKER_RATELIMIT_SIGN_IN_ADDRESS=5-M",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.AdminKey{{Name: "asha", Hash: hash}, {Name: "rohan", HashFile: "/run/secrets/rohan"}}
	if !slices.Equal(c.Admin.Keys, want) || c.RateLimit.SignIn != (config.Limits{Address: "5-M", Mode: config.ModeEnforce}) {
		t.Errorf("got %+v and limits %+v, want %+v and 5-M", c.Admin, c.RateLimit.SignIn, want)
	}
	if c.Admin.Keys[0].Hash.Reveal() != hash {
		t.Error("the hash from the file differs from the one written")
	}
}

func TestInvalidSettingsAreRefusedByKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file    string
		environ []string
		want    []string
	}{
		"an unknown key in the file":     {"upstream: {api_kee: x}\nlogg: {}\nseal: {keys: [{id: a, kee: b}]}", nil, []string{"line 1: upstream.api_kee: there is no such setting", "line 2: logg", "line 3: seal.keys[0].kee"}},
		"a limit without a route":        {"ratelimit: {download: {user: 10-M}}", nil, []string{"line 1: ratelimit.download: there is no such setting"}},
		"a wrong type in the file":       {"upstream: {attempts: many, timeout: 5, api_key: [a]}", nil, []string{"line 1: upstream.attempts: want a whole number", "upstream.timeout: want a duration", "upstream.api_key: want a text"}},
		"invalid YAML":                   {"{", nil, []string{"line 1"}},
		"a second document":              {"log: {level: info}\n---\nfoo: bar", nil, []string{"want one document"}},
		"a value in place of a group":    {"log: loud\nseal: {keys: x}", nil, []string{"log: want keys", "seal.keys: want a list"}},
		"errors in file and environment": {"logg: {}", []string{"CASBROKER_X=1"}, []string{"logg: there", "CASBROKER_X: there"}},
		"several unknown variables": {"", []string{"CASBROKER_TOKEN_LIFE=1h", "CASBROKER_X=1"},
			[]string{"CASBROKER_TOKEN_LIFE: there is no such setting", "CASBROKER_X: there"}},
		"a variable of the wrong type":         {"", []string{"CASBROKER_TOKEN_LIFETIME=soon"}, []string{"CASBROKER_TOKEN_LIFETIME: want a duration such as 30s"}},
		"an empty variable that needs a value": {"", []string{"CASBROKER_STORE_MIGRATE_AT_START="}, []string{"CASBROKER_STORE_MIGRATE_AT_START: want true or false"}},
		"secret in a variable and in a file": {"", []string{"CASBROKER_UPSTREAM_API_KEY=a", "CASBROKER_UPSTREAM_API_KEY_FILE=b"},
			[]string{"CASBROKER_UPSTREAM_API_KEY: set this or"}},
		"a missing file of a secret":              {"", []string{"CASBROKER_SEAL_HASH_KEY_FILE=/nowhere"}, []string{"CASBROKER_SEAL_HASH_KEY_FILE"}},
		"a file for a setting that is not secret": {"", []string{"CASBROKER_LOG_LEVEL_FILE=/nowhere"}, []string{"CASBROKER_LOG_LEVEL_FILE: there is no such setting"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(config.Default(), write(t, c.file), c.environ)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestErrorInAFileDoesNotShowItsSecrets(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Default(), write(t, "upstream:\n  api_key: hush-hush\n  wrong: 1\n"), nil)
	if err == nil || strings.Contains(err.Error(), "hush-hush") {
		t.Errorf("got %v, want an error without the secret", err)
	}
}

func TestAllErrorsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Server = config.Server{Address: "nowhere", TrustedProxies: []string{"everywhere", "0.0.0.0/0"}, AllowedOrigins: []string{"*", "https://*.app.example", "https://app.example:443", "https://app.example/", "null"}, AllowedHeaders: []string{"*", "x y"}, MinBodyRate: -1, PublicURL: "http://broker.example/"}
	c.Log.Level = "loud"
	c.Upstream = config.Upstream{URL: "http://api.example", APIKey: "at_x"}
	c.Token.Mode, c.Token.Lifetime, c.Token.Pool = "proxy", 90*time.Second, -1
	c.Gateway = config.Gateway{Path: "/v1/x", Features: []string{"everything"}, UploadTimeout: time.Hour, MaxUploads: -1, MaxUploadsPerUser: -1}
	c.Inbound = config.Inbound{Path: "inbound/", URL: "http://127.0.0.1/", FileHosts: []string{"*", "https://files.example"}}
	c.Access = config.Access{Poll: time.Millisecond, MaxStaleness: 2 * time.Hour, WhenStale: "ignore"}
	c.Cache.URL = "memcached://x"
	c.Store.URL, c.Store.ExportMax = "mysql://x", 1
	c.Seal.Keys = []config.SealKey{{ID: "a", Key: "short"}, {ID: "a", Key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
	c.Store.MaxConns, c.Store.Pooler = 1, "session"
	c.Seal.Keys = append(c.Seal.Keys, config.SealKey{ID: "b", Key: sealKey, File: "/run/secrets/seal"})
	c.Portfolio = config.Portfolio{MaxBody: 1, OtherOwner: "mix"}
	c.Audit = config.Audit{Reuse: "some", WhenUnwritable: "panic"}
	c.Retention = config.Retention{Portfolios: 90 * time.Second, Grants: -time.Hour, Calls: 71 * time.Hour}
	c.Web.WidgetURL, c.Web.WidgetIntegrity = "javascript:alert(1)", "md5-x"
	err := c.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, key := range []string{
		"server.address", "server.trusted_proxies[0]", "server.trusted_proxies", "server.allowed_origins[0]", "server.allowed_origins[1]", "server.allowed_origins[2]", "server.allowed_origins[3]", "server.allowed_origins[4]", "server.allowed_headers[0]", "server.allowed_headers[1]", "server.read_timeout", "server.min_body_rate", "server.body_grace", "log.level",
		"upstream.url", "upstream.api_key", "upstream.timeout", "upstream.attempts", "server.public_url", "token.mode", "token.lifetime", "token.pool",
		"gateway.path", "gateway.features[0]", "gateway.upload_timeout", "gateway.parse_timeout", "gateway.otp_timeout", "gateway.timeout", "gateway.max_uploads", "gateway.max_uploads_per_user",
		"gateway.poll_every", "inbound.path", "inbound.url", "inbound.file_hosts[0]", "inbound.file_hosts[1]",
		"access.poll", "access.max_staleness", "access.when_stale", "cache.url", "store.url", "store.export_max", "store.max_conns", "store.pooler",
		"seal.hash_key", "seal.keys[0].key", "seal.keys[1].key", "seal.keys[1].id", "seal.keys[2].file",
		"portfolio.max_body", "portfolio.other_owner", "audit.reuse", "audit.reads", "audit.service_reads", "audit.when_unwritable", "retention.portfolios", "retention.grants", "retention.calls", "web.widget_url", "web.widget_integrity",
	} {
		if !strings.Contains(err.Error(), key+": ") {
			t.Errorf("got %v, want it to name %s", err, key)
		}
	}
}

func TestGatewayTokensNeedAnAddressForBrowsers(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{config.ModeDirect, config.ModeGateway, config.ModeBoth} {
		for _, c := range []struct {
			address, url string
			ok           bool
		}{
			{"127.0.0.1:8080", "", true}, {"localhost:8080", "", true}, {":8080", "", mode == config.ModeDirect},
			{"0.0.0.0:8080", "", mode == config.ModeDirect}, {":8080", "https://broker.example", true},
		} {
			s := valid()
			s.Token.Mode, s.Server.Address, s.Server.PublicURL = mode, c.address, c.url
			if err := s.Validate(); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "server.public_url: ") {
				t.Errorf("%s at %s with %q: got %v, want ok to be %v", mode, c.address, c.url, err, c.ok)
			}
		}
	}
}

func TestGatewayPathHasOneSpelling(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"/gateway": true, "/api/cas-parser": true, "/": false, "": false, "gateway": false, "/gateway/": false, "//gateway": false,
		"/Gateway": false, "/a b": false, "/a%20b": false, "/a/../b": false, "/:id": false, "/*": false, "/v1": false, "/admin/x": false, "/v11": true,
	} {
		s := valid()
		s.Gateway.Path = path
		if err := s.Validate(); (err == nil) != ok {
			t.Errorf("%q: got %v", path, err)
		}
	}
}

func TestHostsOfTheGatewayHaveOneForm(t *testing.T) {
	t.Parallel()
	for host, ok := range map[string]bool{
		"app.example": true, "localhost:3000": true, "127.0.0.1:8080": true, "[::1]:8080": true, "": false, "*": false, "*.app.example": false,
		"App.example": false, "https://app.example": false, "app.example/": false, "app.example:": false, "a b": false, "x@app.example": false,
	} {
		for key, set := range map[string]func(*config.Gateway){
			"gateway.callback_hosts[1]": func(g *config.Gateway) { g.CallbackHosts = []string{"b.example", host} },
			"gateway.redirect_hosts[1]": func(g *config.Gateway) { g.RedirectHosts = []string{"b.example", host} },
		} {
			s := valid()
			set(&s.Gateway)
			if err := s.Validate(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), key+": ") {
				t.Errorf("%s %q: got %v", key, host, err)
			}
		}
	}
}

func TestMailboxesNeedThePagesThatConnectThem(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Gateway.Features = config.GatewayFeatures()
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "gateway.redirect_hosts: ") {
		t.Errorf("got %v", err)
	}
	s.Gateway.RedirectHosts = []string{"app.example"}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestInvalidSizeIsReportedWithItsKey(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Default(), write(t, "portfolio: {max_body: big}"), []string{"CASBROKER_AUTH_CACHE_SIZE=-5"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "portfolio.max_body: ") || !strings.Contains(err.Error(), "auth.cache_size: ") {
		t.Errorf("got %v, want both keys named", err)
	}
}

// valid returns settings that are valid.
func valid() config.Config {
	c := config.Default()
	c.Upstream.APIKey = "key"
	c.Seal = config.Seal{HashKey: hashKey, Keys: []config.SealKey{{ID: "k1", Key: sealKey}, {ID: "k0", File: "/run/secrets/old"}}}
	return c
}

func TestValidSettingsPass(t *testing.T) {
	t.Parallel()
	c := valid()
	c.Portfolio.OtherOwner = config.OtherOwnerRefuse
	c.Retention = config.Retention{Portfolios: 8760 * time.Hour, Grants: 24 * time.Hour, Calls: 72 * time.Hour}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestPrintedSettingsHideSecretsAndCanBeLoaded(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Upstream.APIKey = "hush-hush"
	c.Store.URL = "postgres://casbroker:hush-hush@db.example/casbroker"
	c.Seal.Keys = []config.SealKey{{ID: "k1", Key: sealKey}}
	c.Admin.Keys = []config.AdminKey{{Name: "asha", Hash: "sha256:hush-hush"}}
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "hush-hush") || strings.Contains(s, sealKey) || !strings.Contains(s, "[secret]") {
		t.Errorf("got %s, want no secret", s)
	}
	again, err := config.Load(config.Config{}, write(t, out.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.Token != c.Token || again.Portfolio != c.Portfolio {
		t.Errorf("got %+v, want %+v and %+v", again, c.Token, c.Portfolio)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListMarksDefaultsAndHidesSecrets(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Token.Lifetime = 10 * time.Minute
	c.Upstream.APIKey = "live-key-7f3a91c2d4e5"
	c.Store.URL = "postgres://broker:hunter2@db/broker"
	c.Auth.Verifiers = []config.Verifier{{Name: "app", Audience: []string{"casbroker", "other"}, Secret: "hunter2"}}
	found := map[string]config.Entry{}
	for _, e := range c.List() {
		if text := e.Value + e.Words; strings.Contains(text, "hunter2") || strings.Contains(text, "live-key") {
			t.Errorf("%s shows a secret", e.Key)
		}
		found[e.Key] = e
	}
	for _, want := range []config.Entry{
		{Key: "server.address", Value: "127.0.0.1:8080", Words: "127.0.0.1:8080", Default: true},
		{Key: "token.lifetime", Value: "10m0s", Words: "10 minutes"},
		{Key: "upstream.api_key", Value: "[secret]", Words: "set, not shown"},
		{Key: "store.url", Value: "postgres://hidden@db/broker", Words: "postgres://hidden@db/broker"},
		{Key: "portfolio.max_body", Value: "10MiB", Words: "10 MiB", Default: true},
		{Key: "auth.verifiers[0].name", Value: "app", Words: "app"},
		{Key: "auth.verifiers[0].audience", Value: "casbroker, other", Words: "casbroker, other"},
		{Key: "auth.verifiers[0].oidc", Value: "false", Words: "off", Default: true},
		{Key: "seal.keys", Words: "not set", Default: true},
		{Key: "seal.hash_key", Words: "not set", Default: true},
	} {
		if got := found[want.Key]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestPoolFitsTheLifetimeAndModeOfTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		token config.Token
		ok    bool
	}{
		{config.Token{Mode: config.ModeDirect, Lifetime: time.Hour, Pool: 120}, true},
		{config.Token{Mode: config.ModeBoth, Lifetime: 5 * time.Minute, Pool: 10}, true},
		{config.Token{Mode: config.ModeDirect, Lifetime: time.Hour, Pool: 121}, false},
		{config.Token{Mode: config.ModeDirect, Lifetime: 5 * time.Minute, Pool: 11}, false},
		{config.Token{Mode: config.ModeGateway, Lifetime: time.Hour, Pool: 1}, false},
	} {
		settings := config.Default()
		settings.Token = c.token
		if err := settings.Validate(); strings.Contains(err.Error(), "token.pool") == c.ok { // the defaults lack secrets
			t.Errorf("%+v: got %v, want token.pool valid: %t", c.token, err, c.ok)
		}
	}
}

func TestAPIKeysAreCheckedByName(t *testing.T) {
	t.Parallel()
	key := func(name string, change func(*config.UpstreamKey)) config.UpstreamKey {
		k := config.UpstreamKey{Name: name, APIKey: secret.Text("key-of-" + name), Weight: 1, Rate: 60}
		if change != nil {
			change(&k)
		}
		return k
	}
	for want, keys := range map[string][]config.UpstreamKey{
		"upstream.keys[0].name: want 1 to 32":                  {key("Main", nil)},
		`upstream.keys[1].name: "main" is used twice`:          {key("main", nil), key("main", func(k *config.UpstreamKey) { k.APIKey = "b" })},
		"upstream.keys[0].api_key: required":                   {key("a", func(k *config.UpstreamKey) { k.APIKey = "" })},
		"upstream.keys[0].api_key: this is an access token":    {key("a", func(k *config.UpstreamKey) { k.APIKey = "at_x" })},
		"upstream.keys[0].api_key_file: set this or api_key":   {key("a", func(k *config.UpstreamKey) { k.APIKeyFile = "/run/secrets/a" })},
		"upstream.keys[1].api_key: this key is in the list":    {key("a", nil), key("b", func(k *config.UpstreamKey) { k.APIKey = "key-of-a" })},
		"upstream.keys[0].weight: want 1 to 1000":              {key("a", func(k *config.UpstreamKey) { k.Weight = 0 })},
		"upstream.keys[0].rate: want 0 (no limit) to 100000":   {key("a", func(k *config.UpstreamKey) { k.Rate = -1 })},
		`upstream.keys[0].verifiers[1]: there is no "shop"`:    {key("a", func(k *config.UpstreamKey) { k.Verifiers = []string{"app", "shop"} })},
		`upstream.keys: no key is for the verifier "back"`:     {key("a", func(k *config.UpstreamKey) { k.Verifiers = []string{"app"} })},
		"token.pool: needs a key in upstream.keys without ver": {key("a", func(k *config.UpstreamKey) { k.Verifiers = []string{"app", "back"} })},
	} {
		c := valid()
		c.Upstream.APIKey, c.Upstream.Keys = "", keys
		c.Auth.Verifiers = []config.Verifier{{Name: "app"}, {Name: "back"}}
		c.Token.Pool = 1
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	c := valid()
	c.Upstream.APIKey, c.Upstream.Keys = "key", []config.UpstreamKey{key("main", nil), key("spare", nil)}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "upstream.api_key: set this or upstream.keys (main, spare), not both") {
		t.Errorf("got %v, want an error that names the keys", err)
	}
	for _, share := range []string{"90", "0%", "100%", "x%", "9.5%", " 90%", "%"} {
		c := valid()
		c.Upstream.SwitchAt = share
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "upstream.switch_at: want 1% to 99%") {
			t.Errorf("%q: got %v, want an error", share, err)
		}
	}
}

func TestAPIKeysHaveDefaultsAndFiles(t *testing.T) {
	t.Parallel()
	file := write(t, "upstream:\n  switch_at: 90%\n  api_key_file: /a\n  keys:\n    - name: main\n      api_key: x\n    - {name: slow, api_key_file: /b, weight: 3, rate: 0}\n")
	c, err := config.Load(config.Default(), file, []string{
		"CASBROKER_UPSTREAM_API_KEY=", "CASBROKER_UPSTREAM_KEYS_0_API_KEY_FILE=/c", "CASBROKER_UPSTREAM_KEYS_1_API_KEY=y",
		"CASBROKER_UPSTREAM_KEYS_2_NAME=third", "CASBROKER_UPSTREAM_KEYS_2_VERIFIERS=app, back",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.UpstreamKey{
		{Name: "main", APIKeyFile: "/c", Weight: 1, Rate: 60}, {Name: "slow", APIKey: "y", Weight: 3},
		{Name: "third", Weight: 1, Rate: 60, Verifiers: []string{"app", "back"}},
	}
	if got := c.Upstream; !reflect.DeepEqual(got.Keys, want) || got.APIKeyFile != "" || got.SwitchAt != "90%" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if share, err := config.ParsePercent("90%"); share != 0.9 || err != nil {
		t.Errorf("got %v, %v, want 0.9", share, err)
	}
	for _, e := range c.List() {
		if e.Key == "upstream.keys[2].rate" && !e.Default || e.Key == "upstream.keys[1].rate" && e.Default {
			t.Errorf("got %+v", e)
		}
	}
}

func TestTrustedProxiesAreNotTheWholeInternet(t *testing.T) {
	t.Parallel()
	for list, ok := range map[string]bool{
		"": true, "10.0.0.0/8": true, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8": true,
		"10.0.0.1/32 ::1/128": true, "2001:db8::/32 fc00::/7 fe80::/10": true, "2400:cb00::/32 2606:4700::/32 173.245.48.0/20": true,
		"0.0.0.0/0": false, "::/0": false, "0.0.0.0/1 128.0.0.0/1": false, "0.0.0.0/1": false, "::/1 8000::/1": false, "::/1": false,
		"2000::/3": false, "::ffff:0.0.0.0/96": false,
		"0.0.0.0/2 64.0.0.0/2 128.0.0.0/2 192.0.0.0/3 224.0.0.0/3": false, "10.0.0.0/8 128.0.0.0/2": false,
		strings.TrimSpace(eighths()): false, "10.0.0.0/8 10.1.0.0/16 10.0.0.0/8 11.0.0.0/8": true,
	} {
		s := valid()
		s.Server.TrustedProxies = strings.Fields(list)
		if err := s.Validate(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "server.trusted_proxies: together") {
			t.Errorf("%s: got %v, want ok to be %v", list, err, ok)
		}
	}
}

// eighths lists the networks of 8 bits that make up all of IPv4.
func eighths() (list string) {
	for i := range 256 {
		list += fmt.Sprintf(" %d.0.0.0/8", i)
	}
	return list
}

func TestComposeFileTrustsItsOwnNetwork(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment any `yaml:"environment"`
		} `yaml:"services"`
		Networks map[string]struct {
			IPAM struct {
				Config []struct {
					Subnet string `yaml:"subnet"`
				} `yaml:"config"`
			} `yaml:"ipam"`
		} `yaml:"networks"`
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	network := compose.Networks["default"].IPAM.Config[0].Subnet
	environment, _ := compose.Services["broker-1"].Environment.(map[string]any)
	if got, want := environment["CASBROKER_SERVER_TRUSTED_PROXIES"], "${TRUSTED_PROXIES:-"+network+"}"; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
	s := valid()
	s.Server.TrustedProxies = []string{network}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}
