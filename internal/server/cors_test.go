package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/server"
)

// crossOrigin is a router that pages of some origins may call, and what it reports.
type crossOrigin struct {
	*server.Router
	log     bytes.Buffer
	mu      sync.Mutex
	refused []string // "preflight" or "actual"
}

func newCrossOrigin(o server.Options) *crossOrigin {
	x := &crossOrigin{}
	o.Log = slog.New(slog.NewTextHandler(&x.log, nil))
	o.NoCORS = []string{"/admin/"}
	o.OnOriginRefused = func(request string) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.refused = append(x.refused, request)
	}
	x.Router = server.NewRouter(o)
	authenticate := func(echo.HandlerFunc) echo.HandlerFunc {
		return func(echo.Context) error { return fault.New(fault.Unauthenticated, "unauthenticated", "Sign in.") }
	}
	x.Mount("/v1", []server.Middleware{authenticate}, getRoutes{"/holdings": func(c echo.Context) error { return c.NoContent(204) }})
	x.Mount("/open", nil, getRoutes{"/holdings": func(c echo.Context) error { return c.NoContent(200) }})
	x.Mount("/admin", nil, getRoutes{"/users": func(c echo.Context) error { return c.NoContent(200) }})
	return x
}

func (x *crossOrigin) call(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://broker.example"+path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	return w
}

func (x *crossOrigin) preflight(t *testing.T, origin, path, headers string) *httptest.ResponseRecorder {
	t.Helper()
	return x.call(t, http.MethodOptions, path, "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", headers)
}

func TestPreflightOfARefusedOriginSaysSo(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]server.Options{"none is allowed": {}, "another is allowed": {AllowedOrigins: []string{"https://app.example"}}} {
		x := newCrossOrigin(o)
		for range 2 {
			w := x.preflight(t, "https://evil.example", "/v1/holdings", "")
			if w.Code != 403 || !strings.Contains(w.Body.String(), "origin_not_allowed") || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: got %d %s %v", name, w.Code, w.Body, w.Header())
			}
		}
		if got := strings.Count(x.log.String(), "level=WARN"); got != 1 || !strings.Contains(x.log.String(), "origin=https://evil.example") {
			t.Errorf("%s: got %d warnings, want one with the origin: %s", name, got, &x.log)
		}
		if !slices.Equal(x.refused, []string{"preflight", "preflight"}) {
			t.Errorf("%s: counted %q", name, x.refused)
		}
	}
}

func TestAnswerToARefusedOriginSaysSo(t *testing.T) {
	t.Parallel()
	const site, mode = "Sec-Fetch-Site", "Sec-Fetch-Mode"
	for name, c := range map[string]struct {
		header  []string
		status  int
		refused bool
	}{
		"page of another site":         {[]string{"Origin", "https://evil.example", site, "cross-site", mode, "cors"}, 403, true},
		"page of another host":         {[]string{"Origin", "https://www.broker.example", site, "same-site", mode, "cors"}, 403, true},
		"opaque origin":                {[]string{"Origin", "null", site, "cross-site", mode, "cors"}, 403, true},
		"older browser":                {[]string{"Origin", "https://evil.example"}, 200, true},
		"own page":                     {[]string{"Origin", "https://broker.example", site, "same-origin", mode, "cors"}, 200, false},
		"own page in an older browser": {[]string{"Origin", "https://broker.example"}, 200, false},
		"own page behind a proxy":      {[]string{"Origin", "https://public.example"}, 200, false},
		"allowed page":                 {[]string{"Origin", "https://app.example", site, "cross-site", mode, "cors"}, 200, false},
		"form of another site":         {[]string{"Origin", "https://evil.example", site, "cross-site", mode, "navigate"}, 200, false},
		"program":                      {nil, 200, false},
	} {
		x := newCrossOrigin(server.Options{AllowedOrigins: []string{"https://app.example"}, PublicURL: "https://public.example/broker"})
		w := x.call(t, http.MethodGet, "/open/holdings", c.header...)
		if refused := w.Header().Get("X-Origin-Refused") != ""; w.Code != c.status || refused != c.refused || refused != (len(x.refused) == 1) {
			t.Errorf("%s: got %d, refused %t, counted %q, want %d and %t", name, w.Code, refused, x.refused, c.status, c.refused)
		}
		if w.Header().Get("Vary") != "Origin" {
			t.Errorf("%s: got Vary %q, want Origin", name, w.Header().Get("Vary"))
		}
	}
}

func TestOriginsOfEachSchemeMayBeAllowed(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"https://app.example", "capacitor://localhost", "ionic://localhost", "tauri://localhost", "chrome-extension://abcdef"} {
		x := newCrossOrigin(server.Options{AllowedOrigins: []string{origin}, AllowCookies: true})
		w := x.preflight(t, origin, "/v1/holdings", "")
		h := w.Header()
		if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: got %d %v", origin, w.Code, h)
		}
		if w := x.call(t, http.MethodGet, "/v1/holdings", "Origin", origin); w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: got %d %v, want an error that the page can read", origin, w.Code, w.Header())
		}
		if w := x.preflight(t, "null", "/v1/holdings", ""); w.Code != 403 {
			t.Errorf("null: got %d, want 403", w.Code)
		}
		if w := x.preflight(t, origin, "/admin/users", ""); w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s, operators: got %d %v, want 403", origin, w.Code, w.Header())
		}
	}
}

func TestPagesMaySendTheHeadersThatAreAllowed(t *testing.T) {
	t.Parallel()
	x := newCrossOrigin(server.Options{
		AllowedOrigins: []string{"https://app.example"}, AllowedHeaders: []string{"traceparent", "X-Datadog-*"},
	})
	w := x.preflight(t, "https://app.example", "/v1/holdings", "authorization,traceparent, x-datadog-trace-id,x-datado,x-evil")
	got := strings.Split(strings.ToLower(w.Header().Get("Access-Control-Allow-Headers")), ", ")
	for name, want := range map[string]bool{
		"authorization": true, "traceparent": true, "x-datadog-trace-id": true, "x-datado": false, "x-evil": false, "x-datadog-*": false,
	} {
		if slices.Contains(got, name) != want {
			t.Errorf("%s: got %q, want it allowed %t", name, got, want)
		}
	}
}

func TestLogHasSomeOfManyRefusedOrigins(t *testing.T) {
	t.Parallel()
	x := newCrossOrigin(server.Options{})
	for i := range 100 {
		x.preflight(t, fmt.Sprintf("https://%d.example", i), "/v1/holdings", "")
	}
	if got := strings.Count(x.log.String(), "level=WARN"); got != 20 || len(x.refused) != 100 {
		t.Errorf("got %d warnings and %d counted, want 20 and 100", got, len(x.refused))
	}
}
