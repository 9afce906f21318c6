package demo_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/demo"
)

// get returns the answer of a demo app for path.
func get(t *testing.T, h *demo.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	h.Now, h.Secret = time.Now, demo.NewSecret()
	h.Page = fstest.MapFS{"index.html": {Data: []byte("<title>page</title>")}}
	e := echo.New()
	h.Mount(e.Group(""))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestPageLoadsNothingFromOtherOrigins(t *testing.T) {
	t.Parallel()
	w := get(t, &demo.Handler{Sandbox: http.NotFoundHandler()}, "/")
	csp := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("got %d with policy %s, want 200 and only this origin", w.Code, csp)
	}
}

func TestPolicyAllowsTheVendorsWidgetAndAPI(t *testing.T) {
	t.Parallel()
	newHandler := func() *demo.Handler {
		return &demo.Handler{WidgetURL: "https://cdn.example/dist/widget.js", APIBaseURL: "https://api.casparser.in"}
	}
	csp := get(t, newHandler(), "/").Header().Get("Content-Security-Policy")
	for _, want := range []string{"script-src 'self' https://cdn.example;", "connect-src 'self' https://api.casparser.in;"} {
		if !strings.Contains(csp, want) {
			t.Errorf("got policy %s, want it to contain %q", csp, want)
		}
	}
	settings := get(t, newHandler(), "/demo/config").Body.String()
	for _, want := range []string{`"api_base_url":"https://api.casparser.in"`, `"sandbox":false`, `"modes":["direct"]`, `"features":[]`} {
		if !strings.Contains(settings, want) {
			t.Errorf("got %s, want it to contain %s", settings, want)
		}
	}
}

func TestSandboxIsMountedOnlyWhenConfigured(t *testing.T) {
	t.Parallel()
	if w := get(t, &demo.Handler{}, "/sandbox/v1/token"); w.Code != http.StatusNotFound {
		t.Errorf("without a sandbox: got %d, want 404", w.Code)
	}
	teapot := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/token" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	if w := get(t, &demo.Handler{Sandbox: teapot}, "/sandbox/v1/token"); w.Code != http.StatusTeapot {
		t.Errorf("with a sandbox: got %d, want 418", w.Code)
	}
}
