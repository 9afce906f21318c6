package auth_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

func TestKeySetMustComeFromItsHostWithinBounds(t *testing.T) {
	t.Parallel()
	elsewhere := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	many := make([]string, 101)
	for i := range many {
		many[i] = jwk(t, edKey().Public(), "k1")
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		why    string
	}{
		"redirect to another host": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "another host"},
		"endless redirects":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "too many redirects"},
		"an endless answer": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(strings.Repeat(" ", 64<<10)))
			}
		}, "longer than"},
		"too many keys": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Join(many, ",") + `]}`))
		}, "more than 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.answer(tt.answer)
			log := newEvents()
			newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withKeySet(s.URL)}, Log: slog.New(log)})
			if line := log.wait(t, "cannot load key set"); !strings.Contains(line, tt.why) {
				t.Errorf("log: got %q, want %q", line, tt.why)
			}
		})
	}
}

// discovery serves the discovery document and the key set of an issuer.
func (s *keyServer) discovery(document func() string, keys ...string) {
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_, _ = w.Write([]byte(document()))
		case "/keys":
			_, _ = w.Write([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
		default:
			http.NotFound(w, r)
		}
	})
}

func withOIDC(url string) auth.Verifier {
	v := withKeySet("")
	v.Issuer, v.OIDC = url, true
	return v
}

func TestOIDCKeySetIsDiscovered(t *testing.T) {
	t.Parallel()
	for _, slash := range []string{"", "/"} {
		s := newKeyServer(t)
		name := s.URL + slash
		s.discovery(func() string { return `{"issuer":"` + name + `","jwks_uri":"` + s.URL + `/keys","x":1}` },
			jwk(t, rsaKey().Public(), "k1"))
		a := newAuth(t, withOIDC(name))
		claims := claimsOf("asha")
		claims["iss"] = name
		token := sign(t, jwt.SigningMethodRS256, rsaKey(), claims, map[string]any{"kid": "k1"})
		if got := askWith(t, a, token); got.body != "corp:asha" {
			t.Errorf("issuer %q: %+v", name, got)
		}
	}
}

func TestUntrustedDiscoveryDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ issuer, jwks, why string }{
		"of another issuer":        {"https://evil.example", "", "that of issuer"},
		"of the issuer with slash": {"SELF/", "", "that of issuer"},
		"keys over plain http":     {"SELF", "http://evil.example/keys", "want https"},
		"keys nowhere":             {"SELF", "", "absolute URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.discovery(func() string {
				return `{"issuer":"` + strings.Replace(tt.issuer, "SELF", s.URL, 1) + `","jwks_uri":"` + tt.jwks + `"}`
			}, jwk(t, rsaKey().Public(), "k1"))
			log := newEvents()
			a := newAuthWith(t, auth.Options{Verifiers: []auth.Verifier{withOIDC(s.URL)}, Log: slog.New(log)})
			if line := log.wait(t, "cannot load key set"); !strings.Contains(line, tt.why) {
				t.Errorf("log: got %q, want %q", line, tt.why)
			}
			if a.Ready() == nil {
				t.Error("ready without keys")
			}
		})
	}
}
