package app_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// nextSealKey is a key that no database was encrypted with.
var nextSealKey = secret.Text(base64.StdEncoding.EncodeToString([]byte("a-wrong-seal-key-0123456789abcde")))

// withParameter returns the URL of a migrated PostgreSQL database with a parameter of its sessions.
func withParameter(t *testing.T, name, value string) secret.URL {
	t.Helper()
	u, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return secret.URL(u.String())
}

// toDiagnose returns the settings of a broker that runs until the test ends.
func toDiagnose(t *testing.T) config.Config {
	t.Helper()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(services.Redis(t)))
	settings.Server.AllowedOrigins = []string{"https://app.example"}
	start(t, settings)
	return settings
}

// redisFor starts a Redis whose certificate is for host, and which wants one of its clients. It returns its URL and the
// file of its CA.
func redisFor(t *testing.T, host string) (secret.URL, string) {
	t.Helper()
	ca := services.NewAuthority(t)
	cert, key := ca.Issue(t, host, time.Hour)
	_, port := services.OwnRedisTLS(t, ca, cert, key)
	return secret.URL("rediss://127.0.0.1:" + port), ca.File
}

// TestDoctorNamesWhatIsBrokenAndNothingElse breaks one thing after the other, next to a broker that runs.
func TestDoctorNamesWhatIsBrokenAndNothingElse(t *testing.T) {
	t.Parallel()
	type broken struct {
		settings config.Config
		options  app.Options
		caller   app.Caller
	}
	cases := map[string]struct {
		damage func(t *testing.T, b *broken)
		check  string // "" for none
		state  string
		remedy string
	}{
		"nothing": {damage: func(*testing.T, *broken) {}},
		"file open to others": {func(t *testing.T, b *broken) {
			b.settings = toDiagnose(t)
			path, _ := strings.CutPrefix(b.settings.Store.URL.Reveal(), "sqlite:")
			if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // that is what is broken
				t.Fatal(err)
			}
		}, "files", app.FindingWarning, "chmod 600"},
		"lost file": {func(t *testing.T, b *broken) {
			b.settings.Seal.Keys = []config.SealKey{{ID: "k1", File: filepath.Join(t.TempDir(), "lost")}}
		}, "files", app.FindingFault, "bring the file back"},
		"clock": {func(_ *testing.T, b *broken) {
			b.options.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
			b.caller.UserToken = "" // it would be refused, too
		}, "clock", app.FindingFault, "NTP"},
		"no database": {func(_ *testing.T, b *broken) { b.settings.Store.URL = "postgres://u:p@127.0.0.1:1/x" }, "database", app.FindingFault, "start the database"},
		"database not migrated": {func(t *testing.T, b *broken) {
			b.settings.Store.URL = secret.URL("sqlite:" + filepath.Join(t.TempDir(), "new.db"))
		}, "database", app.FindingFault, "broker migrate"},
		"database that is not there": {func(t *testing.T, b *broken) {
			b.settings.Store.URL = secret.URL(strings.Replace(storetest.Postgres(t), "/test", "/not", 1))
		}, "database", app.FindingFault, "create the database"},
		"user who may only read": {func(t *testing.T, b *broken) {
			b.settings.Store.URL = withParameter(t, "role", "pg_read_all_data")
		}, "database", app.FindingFault, "owner of the broker's tables"},
		"read-only server": {func(t *testing.T, b *broken) {
			b.settings.Store.URL = withParameter(t, "default_transaction_read_only", "on")
		}, "database", app.FindingFault, "target_session_attrs"},
		"damaged file": {func(t *testing.T, b *broken) {
			path := filepath.Join(t.TempDir(), "broker.db")
			if err := os.WriteFile(path, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			b.settings.Store.URL = secret.URL("sqlite:" + path)
		}, "database", app.FindingFault, "restore a backup"},
		"wrong key": {func(_ *testing.T, b *broken) { b.settings.Seal.Keys[0].Key = nextSealKey }, "database", app.FindingFault, "right key"},
		"no Redis":  {func(_ *testing.T, b *broken) { b.settings.Cache.URL = "redis://127.0.0.1:1" }, "redis", app.FindingFault, "start Redis"},
		"Redis user": {func(t *testing.T, b *broken) {
			redis := services.OwnRedis(t)
			b.settings.Cache.URL = secret.URL("redis://nobody:x@127.0.0.1:" + redis.Port)
		}, "redis", app.FindingFault, "cache.url"},
		"Redis user without a script": {func(t *testing.T, b *broken) {
			redis := services.OwnRedis(t)
			rules := strings.Replace(cache.RedisRules(cache.DefaultPrefix), "+eval ", "", 1)
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+redis.Port)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprintf(conn, "ACL SETUSER casbroker on >pass %s\r\n", rules)
			_, _ = conn.Read(make([]byte, 64))
			b.settings.Cache.URL = secret.URL("redis://casbroker:pass@127.0.0.1:" + redis.Port)
		}, "redis", app.FindingFault, cache.RedisRules(cache.DefaultPrefix)},
		"Redis database": {func(t *testing.T, b *broken) {
			b.settings.Cache.URL = secret.URL("redis://127.0.0.1:" + services.OwnRedis(t).Port + "/99")
		}, "redis", app.FindingFault, "database in cache.url"},
		"certificate of Redis": {func(t *testing.T, b *broken) {
			b.settings.Cache.URL, b.settings.Cache.TLSCAFile = redisFor(t, "redis.example")
		}, "redis", app.FindingFault, "as in its certificate"},
		"no certificate for Redis": {func(t *testing.T, b *broken) {
			b.settings.Cache.URL, b.settings.Cache.TLSCAFile = redisFor(t, "127.0.0.1")
		}, "redis", app.FindingFault, "cache.tls_cert_file"},
		"another service for the vendor": {func(t *testing.T, b *broken) {
			other := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(other.Close)
			b.settings.Upstream.URL = other.URL
		}, "vendor", app.FindingFault, "check upstream.url"},
		"vendor":  {func(_ *testing.T, b *broken) { b.settings.Upstream.URL = "http://127.0.0.1:1" }, "vendor", app.FindingFault, "upstream.url"},
		"API key": {func(_ *testing.T, b *broken) { b.settings.Upstream.Keys[0].APIKey = "wrong" }, "vendor", app.FindingFault, "correct the key"},
		"JWKS": {func(t *testing.T, b *broken) {
			issuer := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(issuer.Close)
			b.settings.Auth.Verifiers = append(slices.Clip(b.settings.Auth.Verifiers), config.Verifier{
				Name: "other", Issuer: "https://other.example", Audience: []string{"casbroker"}, Algorithms: []string{"RS256"}, JWKSURL: issuer.URL,
				Refresh: time.Hour, MaxKeyAge: 24 * time.Hour,
			})
			b.caller.UserToken = ""
		}, "jwt", app.FindingFault, "jwks_url"},
		"user's JWT":     {func(_ *testing.T, b *broken) { b.caller.UserToken += "x" }, "user_token", app.FindingFault, "auth.verifiers"},
		"other origin":   {func(_ *testing.T, b *broken) { b.caller.Origin = "https://other.example" }, "cors", app.FindingFault, "server.allowed_origins"},
		"trusted by all": {func(_ *testing.T, b *broken) { b.settings.Server.TrustedProxies = []string{"0.0.0.0/0"} }, "proxy", app.FindingWarning, "server.trusted_proxies"},
	}
	settings := toDiagnose(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broken{settings: settings, caller: app.Caller{Origin: "https://app.example", UserToken: bearer(t, "asha")}}
			b.settings.Upstream.Keys, b.settings.Seal.Keys = slices.Clone(settings.Upstream.Keys), slices.Clone(settings.Seal.Keys)
			c.damage(t, b)
			found := app.Diagnose(t.Context(), b.settings, b.options, b.caller)
			for _, f := range found {
				if strings.ContainsAny(f.Note+f.Remedy, "\n\t") || f.State != app.FindingOK && (f.Check != c.check || f.State != c.state || !strings.Contains(f.Remedy, c.remedy)) {
					t.Errorf("got %+v, want only a %s of %s with %q", f, c.state, c.check, c.remedy)
				}
			}
			if named := slices.ContainsFunc(found, func(f app.Finding) bool { return f.Check == c.check && f.State == c.state }); c.check != "" && !named {
				t.Errorf("got %+v, want a %s of %s", found, c.state, c.check)
			}
			if c.check == "" && len(found) != 10 {
				t.Errorf("got %d findings, want 10: %+v", len(found), found)
			}
		})
	}
}
