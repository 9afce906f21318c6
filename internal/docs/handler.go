package docs

import (
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

// Handler serves the pages. All fields are required.
type Handler struct {
	Pages   fs.FS  // templates, the stylesheet, llms.txt and guides
	OpenAPI []byte // the description of the API

	files func() (map[string]httpapi.File, error)
}

// policy is the Content-Security-Policy: a stylesheet, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount adds the routes to g, which has no prefix and does not authenticate.
func (h *Handler) Mount(g *echo.Group) {
	h.files = sync.OnceValues(h.load)
	g.GET("/docs", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, homePath) })
	g.GET(homePath, h.send)
	g.GET(homePath+"*", h.send)
	g.GET(llmsPath, h.send)
}

func (h *Handler) load() (map[string]httpapi.File, error) {
	files, err := newSite(h.Pages, h.OpenAPI)
	if err != nil {
		return nil, err
	}
	all := map[string]httpapi.File{}
	for path, f := range files {
		if all[path], err = httpapi.NewFile(f.media, f.body); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// send answers with a file.
func (h *Handler) send(c echo.Context) error {
	files, err := h.files()
	if err != nil {
		return err
	}
	path := c.Request().URL.Path
	f, ok := files[path]
	if trimmed := strings.TrimSuffix(path, "/"); !ok {
		if _, ok = files[trimmed]; ok {
			return c.Redirect(http.StatusMovedPermanently, trimmed)
		}
		return echo.ErrNotFound
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-cache")
	return f.Send(c)
}
