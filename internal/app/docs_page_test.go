package app_test

import (
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"casbroker/internal/docs"
	"casbroker/internal/server"
	"casbroker/web"
)

// documentation serves the documentation alone, which takes a second to make, for all tests.
var documentation = sync.OnceValue(func() string {
	router := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler), OpenAPI: web.OpenAPI})
	router.Mount("", nil, &docs.Handler{Pages: web.Docs, OpenAPI: web.OpenAPI})
	return httptest.NewServer(router).URL
})

// TestDocumentationFitsAnyScreen looks at pages of each kind, each on one screen after the other.
func TestDocumentationFitsAnyScreen(t *testing.T) {
	t.Parallel()
	at := documentation()
	pages := []string{"/docs/", "/docs/api/", "/docs/api/shared", "/docs/api/portfolios", "/docs/api/services"}
	guides, err := fs.Glob(web.Docs, "guides/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guides {
		pages = append(pages, "/docs/"+strings.TrimSuffix(path.Base(g), ".md"))
	}
	b := openTab(t, desktop)
	for _, page := range pages {
		b.do(chromedp.Navigate(at + page))
		for _, look := range []display{{"narrow-light", 320, 700, "light"}, {"phone-dark", 390, 844, "dark"}, {"tablet-light", 768, 1024, "light"}, {"widest-dark", 1600, 1000, "dark"}} {
			b.change(look)
			if wide := read(b, chromedp.Evaluate[[]string](tooWide)); len(wide) > 0 {
				t.Errorf("%s, %s: wider than the screen: %q", page, look.name, wide)
			}
			if page != "/docs/api/services" { // too long for a picture
				b.screenshot("docs-" + strings.ReplaceAll(strings.Trim(page, "/"), "/", "-"))
			}
		}
	}
	b.wantNoErrors()
}

func TestDocumentationIsAccessible(t *testing.T) {
	t.Parallel()
	at := documentation()
	for look, pages := range map[display][]string{
		{"phone-dark", 390, 844, "dark"}: {"/docs/", "/docs/api/", "/docs/api/shared", "/docs/api/tokens", "/docs/mobile"},
		desktop:                          {"/docs/api/tokens", "/docs/results"},
	} {
		t.Run(look.name, func(t *testing.T) {
			t.Parallel()
			b := openTab(t, look)
			for _, page := range pages {
				b.do(chromedp.Navigate(at + page))
				b.wantAccessible(page)
			}
		})
	}
}

// tooWide is the elements that reach beyond the screen.
const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] :
	[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("pre")).slice(0, 5)
		.map((e) => e.outerHTML.slice(0, 120))`
