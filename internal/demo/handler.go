package demo

import (
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
	"casbroker/internal/secret"
)

// bodies are those of sign-ins. None needs as many bytes.
var bodies = httpapi.BodyRules{MaxBytes: 1 << 10, Required: true, Example: `{"user": "asha"}`}

// Handler serves the page, the sign-in and, if there is one, the emulated vendor.
type Handler struct {
	Secret secret.Text // signs the users' tokens, 32 bytes or more
	Now    func() time.Time
	Page   fs.FS // index.html and what it loads
	Widget fs.FS // the stand-in widget

	WidgetURL  string       // the vendor's own script; "" for the stand-in
	APIBaseURL string       // the vendor that the widget talks to, when it is not the sandbox
	Sandbox    http.Handler // the emulated vendor, under SandboxPath; nil for none
}

// SandboxPath is where the emulated vendor is mounted.
const SandboxPath = "/sandbox"

// settings is what the page asks for first.
type settings struct {
	Users      []User `json:"users"`
	WidgetURL  string `json:"widget_url"`
	APIBaseURL string `json:"api_base_url"`
	Sandbox    bool   `json:"sandbox"`
}

// Mount adds the routes to g, which has no prefix and does not authenticate.
func (h *Handler) Mount(g *echo.Group) {
	page := h.policy()
	g.GET("/", echo.StaticFileHandler("index.html", h.Page), page)
	g.GET("/demo/*", echo.StaticDirectoryHandler(h.Page, false), page)
	g.GET("/widget/*", echo.StaticDirectoryHandler(h.Widget, false), page)
	g.GET("/demo/config", h.config)
	g.POST("/demo/sign-in", h.signIn)
	if h.Sandbox != nil {
		g.Any(SandboxPath+"/*", echo.WrapHandler(http.StripPrefix(SandboxPath, h.Sandbox)))
	}
}

func (h *Handler) config(c echo.Context) error {
	return c.JSON(http.StatusOK, settings{
		Users: Users, WidgetURL: h.WidgetURL, APIBaseURL: h.vendor(), Sandbox: h.Sandbox != nil,
	})
}

// vendor is where the widget talks to.
func (h *Handler) vendor() string {
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

// user returns the id of the user whom the request names.
func (h *Handler) user(c echo.Context) (string, error) {
	req, err := httpapi.ReadBody[struct {
		User string `json:"user"`
	}](c.Response(), c.Request(), bodies)
	switch {
	case err != nil:
		return "", err
	case !slices.ContainsFunc(Users, func(u User) bool { return u.ID == req.User }):
		return "", errUser
	}
	return req.User, nil
}

// policy sets the headers of pages: nothing from elsewhere, but for the vendor's
// script and API where those are used.
func (h *Handler) policy() echo.MiddlewareFunc {
	csp := strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'" + origin(h.WidgetURL),
		"style-src 'self'" + h.ifVendors(" 'unsafe-inline'"), // the vendor's widget writes its own styles
		"img-src 'self' data:" + h.ifVendors(" https:"),
		"font-src 'self'" + h.ifVendors(" https:"),
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

func (h *Handler) ifVendors(source string) string {
	if h.WidgetURL == "" {
		return ""
	}
	return source
}

// origin returns the origin of address as a further source, or "".
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}
