package app_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// nextSealKey is a key that no database was encrypted with.
var nextSealKey = secret.Text(base64.StdEncoding.EncodeToString([]byte("a-wrong-seal-key-0123456789abcde")))

// TestDoctorNamesWhatIsBrokenAndNothingElse breaks one thing after the other.
func TestDoctorNamesWhatIsBrokenAndNothingElse(t *testing.T) {
	t.Parallel()
	type broken struct {
		settings config.Config
		options  app.Options
		caller   app.Caller
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, b *broken)
		check  string // "" for none
		state  string
		remedy string
	}{
		"nothing": {damage: func(*testing.T, *broken) {}},
		"file open to others": {func(t *testing.T, b *broken) {
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
		"wrong key": {func(_ *testing.T, b *broken) { b.settings.Seal.Keys[0].Key = nextSealKey }, "database", app.FindingFault, "right key"},
		"no Redis":  {func(_ *testing.T, b *broken) { b.settings.Cache.URL = "redis://127.0.0.1:1" }, "redis", app.FindingFault, "start Redis"},
		"Redis user": {func(t *testing.T, b *broken) {
			redis := services.OwnRedis(t)
			b.settings.Cache.URL = secret.URL("redis://nobody:x@127.0.0.1:" + redis.Port)
		}, "redis", app.FindingFault, "cache.url"},
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(services.Redis(t)))
			settings.Server.AllowedOrigins = []string{"https://app.example"}
			start(t, settings) // it works next to a running broker
			b := &broken{settings: settings, caller: app.Caller{Origin: "https://app.example", UserToken: bearer(t, "asha")}}
			b.settings.Upstream.Keys, b.settings.Seal.Keys = slices.Clone(settings.Upstream.Keys), slices.Clone(settings.Seal.Keys)
			c.damage(t, b)
			found := app.Diagnose(t.Context(), b.settings, b.options, b.caller)
			for _, f := range found {
				if f.State != app.FindingOK && (f.Check != c.check || f.State != c.state || !strings.Contains(f.Remedy, c.remedy)) {
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
