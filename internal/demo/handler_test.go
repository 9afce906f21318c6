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

// visit asks a demo app for path and returns the answer.
func visit(t *testing.T, h *demo.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	h.Now, h.Secret = time.Now, demo.NewSecret()
	h.Page = fstest.MapFS{"index.html": {Data: []byte("<title>page</title>")}}
	h.Widget = fstest.MapFS{"portfolio-connect.js": {Data: []byte("widget")}}
	e := echo.New()
	h.Mount(e.Group(""))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := visit(t, &demo.Handler{Sandbox: http.NotFoundHandler()}, "/")
	csp := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("%d %s", w.Code, csp)
	}
}

func TestWithTheVendorsWidgetThePageMayLoadItAndTalkToTheVendor(t *testing.T) {
	t.Parallel()
	vendors := func() *demo.Handler {
		return &demo.Handler{WidgetURL: "https://cdn.example/dist/widget.js", APIBaseURL: "https://api.casparser.in"}
	}
	csp := visit(t, vendors(), "/").Header().Get("Content-Security-Policy")
	for _, want := range []string{"script-src 'self' https://cdn.example;", "connect-src 'self' https://api.casparser.in;"} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %q in %s", want, csp)
		}
	}
	settings := visit(t, vendors(), "/demo/config").Body.String()
	for _, want := range []string{`"widget_url":"https://cdn.example/dist/widget.js"`, `"api_base_url":"https://api.casparser.in"`, `"sandbox":false`} {
		if !strings.Contains(settings, want) {
			t.Errorf("no %s in %s", want, settings)
		}
	}
}

func TestTheSandboxIsThereOnlyWhenItIsUsed(t *testing.T) {
	t.Parallel()
	if w := visit(t, &demo.Handler{}, "/sandbox/v1/token"); w.Code != http.StatusNotFound {
		t.Errorf("without: %d", w.Code)
	}
	teapot := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/token" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	if w := visit(t, &demo.Handler{Sandbox: teapot}, "/sandbox/v1/token"); w.Code != http.StatusTeapot {
		t.Errorf("with: %d", w.Code)
	}
}
