package docs_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/docs"
	"casbroker/internal/server"
	"casbroker/web"
)

var router = sync.OnceValue(func() http.Handler {
	r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler), OpenAPI: web.OpenAPI})
	r.Mount("", nil, &docs.Handler{Pages: web.Docs, OpenAPI: web.OpenAPI})
	return r
})

// get asks a server with the documentation. header is pairs of name and value.
func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	router().ServeHTTP(w, req)
	return w.Result()
}

func TestPagesAreCompressedAndCached(t *testing.T) {
	t.Parallel()
	res := get(t, "/docs/api/portfolios", "Accept-Encoding", "gzip")
	if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	unzipped, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil || !strings.Contains(string(text), "savePortfolio") {
		t.Fatalf("got %v, %d bytes without the call", err, len(text))
	}
	if again := get(t, "/docs/api/portfolios", "If-None-Match", res.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("got %d for a page that the browser has, want 304", again.StatusCode)
	}
}

func TestPagesForbidScripts(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/docs/", "/docs/react", "/docs/api/tokens"} {
		res := get(t, path)
		if policy := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.HasPrefix(policy, "default-src 'none'; style-src 'self';") {
			t.Errorf("%s: got %d with the policy %q", path, res.StatusCode, policy)
		}
	}
}

func TestFilesHaveTheirTypes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/docs/": "text/html; charset=utf-8", "/docs/docs.css": "text/css; charset=utf-8",
		"/docs/react.md": "text/markdown; charset=utf-8", "/llms.txt": "text/plain; charset=utf-8",
	} {
		if res := get(t, path); res.StatusCode != 200 || res.Header.Get("Content-Type") != want {
			t.Errorf("%s: got %d %s, want %s", path, res.StatusCode, res.Header.Get("Content-Type"), want)
		}
	}
	for _, path := range []string{"/docs/none", "/docs/../docs.go", "/docs/layout.html", "/docs/guides/react.md"} {
		if res := get(t, path); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", path, res.StatusCode)
		}
	}
	for path, want := range map[string]string{"/docs": "/docs/", "/docs/react/": "/docs/react"} {
		if res := get(t, path); res.StatusCode != 301 || res.Header.Get("Location") != want {
			t.Errorf("%s: got %d to %s, want %s", path, res.StatusCode, res.Header.Get("Location"), want)
		}
	}
}
