package app_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/config"
	"casbroker/web"
)

// maxModule is how long connect.js may be when it is compressed, in bytes.
const maxModule = 6 << 10

// file gets what a page of another origin loads, compressed.
func (b *broker) file(t *testing.T, path string, header ...string) answer {
	t.Helper()
	req := request(t, http.MethodGet, b.URL+path)
	for name, value := range map[string]string{
		"Origin": "https://other.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Accept-Encoding": "gzip",
	} {
		req.Header.Set(name, value)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, b.http, req)
}

func TestModuleIsServedToPagesOfAnyOrigin(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, sqlite(t), "memory")
	b := start(t, settings)
	for _, path := range []string{"/connect.js", "/connect/widget.json"} {
		a := b.file(t, path).must(t, http.StatusOK)
		if got := a.header.Get("Access-Control-Allow-Origin") + " " + a.header.Get("Cross-Origin-Resource-Policy"); got != "* cross-origin" {
			t.Errorf("%s: got the headers %s", path, got)
		}
	}
	a := b.file(t, "/connect.js")
	if len(a.body) > maxModule || a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %d bytes, want at most %d, compressed", len(a.body), maxModule)
	}
	z, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !strings.Contains(string(plain), "export function createConnect") {
		t.Errorf("got %.100q, %v", plain, err)
	}
	b.file(t, "/connect.js", "If-None-Match", a.header.Get("ETag")).must(t, http.StatusNotModified)
	b.file(t, "/v1/token").mustRefuse(t, http.StatusForbidden, "origin_not_allowed")
}

func TestBrokerSaysWhereTheWidgetIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    config.Web
		want   string
		script int
	}{
		"the vendor's": {config.Default().Web, `{"url":"` + config.WidgetURL + `"}`, http.StatusNotFound},
		"a fixed one": {
			config.Web{WidgetURL: "https://cdn.example/w-2.1.0.js", WidgetIntegrity: "sha384-abc="},
			`{"url":"https://cdn.example/w-2.1.0.js","integrity":"sha384-abc="}`, http.StatusNotFound,
		},
		"the stand-in": {config.Web{StandIn: true}, `{"url":"/widget/portfolio-connect.js"}`, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, _ := settingsFor(t, sqlite(t), "memory")
			settings.Web = c.set
			b := start(t, settings)
			if got := strings.TrimSpace(b.file(t, "/connect/widget.json").must(t, http.StatusOK).body); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			send(t, http.DefaultClient, request(t, http.MethodGet, b.URL+"/widget/portfolio-connect.js")).must(t, c.script)
		})
	}
	if _, err := web.Connect.Open("package.json"); err != nil {
		t.Error(err)
	}
}
