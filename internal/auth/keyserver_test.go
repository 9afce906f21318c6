package auth_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"casbroker/internal/auth"
)

// keyServer serves a key set that a test can change.
type keyServer struct {
	*httptest.Server
	calls   atomic.Int64
	mu      sync.Mutex
	handler http.HandlerFunc
}

func newKeyServer(t testing.TB, keys ...string) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.serve(keys...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) serve(keys ...string) {
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
	})
}

func (s *keyServer) answer(handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = handler
}

// hang makes the server accept calls and not answer until the test ends.
func (s *keyServer) hang(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	s.answer(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
}

func broken(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }

// jwk returns public as a JWK; fields are pairs of name and value.
func jwk(t testing.TB, public any, kid string, fields ...any) string {
	t.Helper()
	key, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{
		Marshal: jwkset.JWKMarshalOptions{Private: true}, Metadata: jwkset.JWKMetadataOptions{KID: kid},
	})
	if err != nil {
		t.Fatal(err)
	}
	return edited(t, asJSON(t, key.Marshal()), fields...)
}

func edited(t testing.TB, object string, fields ...any) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		members[fields[i].(string)] = fields[i+1]
	}
	return asJSON(t, members)
}

func withKeySet(url string) auth.Verifier {
	return auth.Verifier{
		Name: "corp", Issuer: issuer, Audience: []string{audience},
		Algorithms: []string{"RS256", "ES256", "EdDSA"}, JWKSURL: url,
	}
}

// signRS signs with an RSA key under a key id, "" for none.
func signRS(t testing.TB, sub, kid string) string {
	t.Helper()
	return sign(t, jwt.SigningMethodRS256, rsaKey(), claimsOf(sub), map[string]any{"kid": kid})
}

func signES(t testing.TB, sub, kid string) string {
	t.Helper()
	return sign(t, jwt.SigningMethodES256, ecKey(), claimsOf(sub), map[string]any{"kid": kid})
}

// events is a log that a test can wait on.
type events struct{ lines chan slog.Record }

func newEvents() *events { return &events{lines: make(chan slog.Record, 100)} }

func (e *events) Enabled(context.Context, slog.Level) bool { return true }
func (e *events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e *events) WithGroup(string) slog.Handler            { return e }
func (e *events) Handle(_ context.Context, r slog.Record) error {
	e.lines <- r
	return nil
}

// wait returns the attributes of the next line with that message.
func (e *events) wait(t *testing.T, message string) string {
	t.Helper()
	for {
		select {
		case r := <-e.lines:
			if r.Message != message {
				continue
			}
			var text strings.Builder
			r.Attrs(func(a slog.Attr) bool {
				text.WriteString(a.String() + " ")
				return true
			})
			return text.String()
		case <-time.After(20 * time.Second):
			t.Fatalf("no line %q in the log", message)
		}
	}
}

// newPatientAuth returns an Authenticator that waits for an issuer longer than a test may take, so
// a request that waits with it does not end.
func newPatientAuth(t *testing.T, verifiers ...auth.Verifier) *auth.Authenticator {
	t.Helper()
	return newAuthWith(t, auth.Options{Verifiers: verifiers, CacheSize: 100, HTTP: &http.Client{Timeout: time.Hour}})
}
