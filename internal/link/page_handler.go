package link

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

// PagePath is the path below which the page and its calls are.
const PagePath = "/connect"

// assetPath is where the page itself is once the token is out of the address bar, and below
// which the files are that it loads.
const assetPath = PagePath + "/link"

// Brand is how the page looks, and what it says.
type Brand struct {
	Name             string // of the app
	Color, ColorDark string // of buttons and links, such as #1d4ed8, on a white page and on a dark one
	Background       string // of the dark page, which is the color of texts on ColorDark
	LogoURL          string // with https; "" if Logo is set, or without a logo
	Logo             []byte
	LogoName         string // the name of its file, whose extension says what it is
	NoticeEN         string // what is stored and why; "" for the text of the page
	NoticeHI         string
}

// Page serves the page. It answers the same for every link: nothing is looked up, so nothing is
// used up, and a guess shows nothing.
type Page struct {
	files map[string]httpapi.File
	html  []byte
	csp   string
}

// NewPage returns the page of files, which has index.html. widgetURL is where the vendor's
// script of the widget is, "" for one of the broker's own.
func NewPage(files fs.FS, b Brand, widgetURL string) (*Page, error) {
	p := &Page{files: map[string]httpapi.File{}, csp: policy(b, widgetURL)}
	logo := b.LogoURL
	var errs []error
	add := func(name string, content []byte) {
		f, err := httpapi.NewFile(mime.TypeByExtension(path.Ext(name)), content)
		p.files[name], errs = f, append(errs, err)
	}
	if len(b.Logo) > 0 {
		name := "logo" + strings.ToLower(path.Ext(b.LogoName))
		add(name, b.Logo)
		logo = assetPath + "/" + name
	}
	add("theme.css", fmt.Appendf(nil, ":root { --brand: %s; --on-brand: #ffffff; }\n@media (prefers-color-scheme: dark) { :root { --brand: %s; --on-brand: %s; } }\n",
		b.Color, b.ColorDark, b.Background))
	for _, name := range []string{"page.css", "page.js", "session.js", "texts.js"} {
		content, err := fs.ReadFile(files, name)
		errs = append(errs, err)
		add(name, content)
	}
	html, err := render(files, b, logo)
	p.html, errs = html, append(errs, err)
	return p, errors.Join(errs...)
}

// render returns index.html of files with the looks of the app.
func render(files fs.FS, b Brand, logo string) ([]byte, error) {
	index, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page of links: %w", err)
	}
	var html bytes.Buffer
	if err := index.Execute(&html, map[string]any{"Brand": b, "Logo": template.URL(logo)}); err != nil { //nolint:gosec // of the settings, which were checked
		return nil, fmt.Errorf("make the page of links: %w", err)
	}
	return html.Bytes(), nil
}

// policy returns the Content-Security-Policy of the page.
func policy(b Brand, widgetURL string) string {
	script, style, img, font := "'self'", "'self'", "'self' data: blob:", "'self'"
	if origin := originOf(widgetURL); origin != "" { // the vendor's widget inserts its own styles
		script, style, img, font = script+" "+origin, style+" 'unsafe-inline'", img+" https:", font+" https:"
	} else if origin := originOf(b.LogoURL); origin != "" {
		img += " " + origin
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src " + script, "style-src " + style, "img-src " + img, "font-src " + font, "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}

// originOf returns the origin of an absolute URL, "" for another text.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Mount adds the routes to g, which is at the root.
func (p *Page) Mount(g *echo.Group) {
	g.GET(PagePath+"/:token", p.page)
	g.GET(assetPath, p.page)
	g.GET(assetPath+"/:file", p.file)
}

func (p *Page) page(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", p.csp)
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups") // the widget opens a mailbox's page
	if token := c.Param("token"); token != "" && !isToken(token) {
		return c.HTMLBlob(http.StatusNotFound, p.html) // it says that the link is not valid
	}
	return c.HTMLBlob(http.StatusOK, p.html)
}

func (p *Page) file(c echo.Context) error {
	f, ok := p.files[c.Param("file")]
	if !ok {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "no-cache")
	if path.Ext(c.Param("file")) == ".svg" { // opened by itself, it is a document
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	}
	return f.Send(c)
}
