package demo

import (
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// bodyRules limits sign-in bodies; 1 KiB is more than any valid one needs.
var bodyRules = httpapi.BodyRules{MaxBytes: 1 << 10, Required: true, Example: `{"user": "asha"}`}

// Handler serves the page, the sign-in and, unless Sandbox is nil, the emulated vendor.
type Handler struct {
	Secret secret.Text // signs the users' tokens, 32 bytes or more
	Now    func() time.Time
	Page   fs.FS // index.html and the files it loads

	WidgetURL  string       // URL of the vendor's own widget; "" for the stand-in
	APIBaseURL string       // API that the widget calls when Sandbox is nil
	Sandbox    http.Handler // the emulated vendor, mounted at SandboxPath; nil for none

	// Modes are the modes of tokens that the page offers, the first preselected; nil means
	// "direct" only. Features are what a gateway token may be used for.
	Modes, Features []string
}

// SandboxPath is the path prefix of the emulated vendor.
const SandboxPath = "/sandbox"

// settings is the answer of GET /demo/config, which the page loads first.
type settings struct {
	Users      []User `json:"users"`
	APIBaseURL string `json:"api_base_url"`
	Sandbox    bool   `json:"sandbox"`

	Modes    []string `json:"modes"`
	Features []string `json:"features"`
}

// Mount adds the routes to g, which has no prefix and does not authenticate.
func (h *Handler) Mount(g *echo.Group) {
	h.mountPage(g)
	g.GET("/demo/config", h.config)
	g.POST("/demo/sign-in", h.signIn)
	if h.Sandbox != nil {
		g.Any(SandboxPath+"/*", echo.WrapHandler(http.StripPrefix(SandboxPath, h.Sandbox)))
	}
}

// mountPage adds the routes of the page and of the files it loads. They are compressed once.
func (h *Handler) mountPage(g *echo.Group) {
	headers := h.pageHeaders()
	for _, name := range files(h.Page) {
		at := "/demo/" + name
		if name == "index.html" {
			at = "/"
		}
		content, err := fs.ReadFile(h.Page, name)
		if err != nil {
			panic(err) // it is embedded in the program
		}
		file, err := httpapi.NewFile(contentTypes[path.Ext(name)], content)
		if err != nil {
			panic(err) // memory takes all that is written
		}
		g.GET(at, file.Send, headers)
	}
}

// contentTypes are those of the page's files, by their extensions.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// files returns the names of the files in folder that browsers load; others are for editors.
func files(folder fs.FS) []string {
	names, err := fs.Glob(folder, "*")
	if err != nil {
		panic(err) // the pattern is valid
	}
	return slices.DeleteFunc(names, func(name string) bool { return contentTypes[path.Ext(name)] == "" })
}

func (h *Handler) config(c echo.Context) error {
	modes := h.Modes
	if len(modes) == 0 {
		modes = []string{"direct"}
	}
	return c.JSON(http.StatusOK, settings{
		Users: Users, APIBaseURL: h.vendorURL(), Sandbox: h.Sandbox != nil,
		Modes: modes, Features: append([]string{}, h.Features...),
	})
}

// vendorURL returns the base URL of the API that the widget calls.
func (h *Handler) vendorURL() string {
	if h.Sandbox != nil {
		return SandboxPath
	}
	return h.APIBaseURL
}

func (h *Handler) signIn(c echo.Context) error {
	id, err := h.user(c)
	if err != nil {
		return err
	}
	token, err := sign(id, h.Secret, h.Now())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"jwt": token, "expires_in": int(TokenLife.Seconds())})
}

// user returns the id of the user in the request, or errUser if there is no such user.
func (h *Handler) user(c echo.Context) (string, error) {
	req, err := httpapi.ReadBody[struct {
		User string `json:"user"`
	}](c.Response(), c.Request(), bodyRules)
	switch {
	case err != nil:
		return "", err
	case !slices.ContainsFunc(Users, func(u User) bool { return u.ID == req.User }):
		return "", errUser
	}
	return req.User, nil
}

// pageHeaders sets the headers of pages. The Content-Security-Policy allows no other
// origin than the vendor's script and API, where those are used.
func (h *Handler) pageHeaders() echo.MiddlewareFunc {
	csp := strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'" + origin(h.WidgetURL),
		"style-src 'self'" + h.forVendorWidget(" 'unsafe-inline'"), // it inserts its own styles
		"img-src 'self' data:" + h.forVendorWidget(" https:"),
		"font-src 'self'" + h.forVendorWidget(" https:"),
		"connect-src 'self'" + origin(h.APIBaseURL),
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
	}, "; ")
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header := c.Response().Header()
			header.Set("Content-Security-Policy", csp)
			header.Set("Cache-Control", "no-cache")
			return next(c)
		}
	}
}

// forVendorWidget returns source if the vendor's own widget is used, else "".
func (h *Handler) forVendorWidget(source string) string {
	if h.WidgetURL == "" {
		return ""
	}
	return source
}

// origin returns a space and the origin of address, to append to a CSP directive, or
// "" when address is not an absolute URL.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}
