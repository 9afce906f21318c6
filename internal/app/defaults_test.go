package app_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"casbroker/internal/app"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/testkit/logtest"
)

func TestCopyOfTheExampleSettingsAcceptsServicesAndAdmins(t *testing.T) {
	t.Parallel()
	base, _ := settingsFor(t, sqlite(t), "memory")
	settings, err := config.Load(config.Default(), filepath.FromSlash("../../config/broker.yaml"), []string{
		"CASBROKER_AUTH_VERIFIERS_0_SECRET=app-" + jwtSecret,
		"CASBROKER_AUTH_VERIFIERS_0_ACTS_FOR=app",
		"CASBROKER_SEAL_HASH_KEY=" + hashKey,
		"CASBROKER_SEAL_KEYS_0_KEY=" + sealKey,
		"CASBROKER_UPSTREAM_API_KEY=" + apiKey,
		"CASBROKER_UPSTREAM_URL=" + base.Upstream.URL,
		"CASBROKER_STORE_URL=" + base.Store.URL.Reveal(),
		"CASBROKER_SERVER_DRAIN_DELAY=0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, settings)
	service := serviceToken(t, "app", "backend", "openid casbroker:service")
	b.as(t, service, http.MethodGet, "/v1/users/app:42/portfolios", "").must(t, http.StatusOK)
	b.as(t, service, http.MethodGet, "/admin/v1/users", "").must(t, http.StatusForbidden)
	admin := serviceToken(t, "app", "meera", "casbroker:admin")
	b.as(t, admin, http.MethodGet, "/admin/v1/users", "").must(t, http.StatusOK)
	b.as(t, serviceToken(t, "app", "asha", "openid"), http.MethodGet, "/v1/portfolios", "").must(t, http.StatusOK)
	inForce := b.as(t, admin, http.MethodGet, "/admin/v1/settings", "").must(t, http.StatusOK).body
	for _, want := range []string{`"key":"auth.verifiers[0].roles.claims","value":"roles, scope"`, `"value":"casbroker:service"`, `"value":"casbroker:admin"`} {
		if !strings.Contains(inForce, want) {
			t.Errorf("no %s in %s", want, inForce)
		}
	}
}

func TestDefaultsOfVerifiersAreThoseOfTheirPackage(t *testing.T) {
	t.Parallel()
	v := config.NewVerifier()
	if v.MaxLifetime != auth.DefaultMaxLifetime || v.Refresh != auth.DefaultRefresh || v.MaxKeyAge != auth.DefaultMaxKeyAge {
		t.Errorf("got %+v", v)
	}
	if service := v.Roles.Service; len(service) != 1 || service[0] != auth.ScopeService {
		t.Errorf("got %v, want %s", service, auth.ScopeService)
	}
}

func TestServiceLinksAreToldOnceAtDebug(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"debug": 1, "info": 0} {
		settings, _ := settingsFor(t, sqlite(t), "memory")
		settings.Log.Level = level
		log := &logtest.Log{}
		a, err := app.New(t.Context(), settings, app.Options{LogTo: log, Environ: []string{
			"CASBROKER_SERVICE_HOST=10.43.0.7", "CASBROKER_SERVICE_PORT=8080", "CASBROKER_PORT=tcp://10.43.0.7:8080",
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(log.String(), `"variables":["CASBROKER_PORT","CASBROKER_SERVICE_HOST","CASBROKER_SERVICE_PORT"]`); got != want {
			t.Errorf("%s: got %d lines in %s, want %d", level, got, log, want)
		}
	}
}
