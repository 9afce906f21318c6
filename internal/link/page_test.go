package link_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"casbroker/internal/link"
	"casbroker/web"
)

// pageOf returns a function that requests a path of a page.
func pageOf(t *testing.T, b link.Brand, widgetURL string) func(path string) *http.Response {
	t.Helper()
	p, err := link.NewPage(web.Link, b, widgetURL)
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	p.Mount(e.Group(""))
	return func(path string) *http.Response {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Result()
	}
}

func TestPageHasTheLooksOfTheApp(t *testing.T) {
	t.Parallel()
	get := pageOf(t, link.Brand{
		Name: `A & "B"`, Color: "#123456", ColorDark: "#abcdef", Background: "#1b1e25", Logo: []byte("<svg/>"), LogoName: "A.SVG",
		NoticeEN: "We keep <all>.\nReally.", NoticeHI: "हम रखते हैं।",
	}, "")
	page := get("/connect/link")
	body := read(t, page)
	for _, want := range []string{`<title>A &amp; &#34;B&#34;</title>`, `src="/connect/link/logo.svg"`, `data-notice-en="We keep &lt;all&gt;.`, "हम रखते हैं।"} {
		if !strings.Contains(body, want) {
			t.Errorf("got %s, want %s in it", body, want)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "https:") {
		t.Errorf("got the policy %s, want a strict one", csp)
	}
	logo := get("/connect/link/logo.svg")
	if read(t, logo) != "<svg/>" || logo.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(logo.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("got %v, want the logo, which can do nothing by itself", logo.Header)
	}
	if css := read(t, get("/connect/link/theme.css")); !strings.Contains(css, "#123456") || !strings.Contains(css, "#abcdef") {
		t.Errorf("got %s, want both colors", css)
	}
	for path, status := range map[string]int{
		"/connect/link/page.js": 200, "/connect/link/index.html": 404, "/connect/link/none": 404, "/connect/x": 404, "/connect/cbl_" + strings.Repeat("a", 43): 200,
	} {
		if got := get(path).StatusCode; got != status {
			t.Errorf("%s: got %d, want %d", path, got, status)
		}
	}
}

func TestPolicyAllowsTheHostsOfTheLogoAndTheWidget(t *testing.T) {
	t.Parallel()
	csp := pageOf(t, link.Brand{Name: "A", LogoURL: "https://cdn.app.example/logo.png?x=1"}, "")("/connect/link").Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "img-src 'self' data: blob: https://cdn.app.example;") || !strings.Contains(csp, "script-src 'self';") {
		t.Errorf("got %s, want the host of the logo", csp)
	}
	csp = pageOf(t, link.Brand{Name: "A"}, "https://cdn.jsdelivr.net/npm/x.js")("/connect/link").Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "script-src 'self' https://cdn.jsdelivr.net;") || !strings.Contains(csp, "connect-src 'self';") {
		t.Errorf("got %s, want the host of the widget", csp)
	}
}

func read(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	return body
}
