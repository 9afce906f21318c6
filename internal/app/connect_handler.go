package app

import (
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"casbroker/internal/config"
	"casbroker/internal/httpapi"
	"casbroker/web"
)

// standInURL is where pages load the stand-in widget, relative to the broker.
const standInURL = "/widget/portfolio-connect.js"

// connectFiles serves connect.js and what belongs to it to pages of any origin, and tells
// connect.js where the widget is. It implements server.Routes.
type connectFiles struct {
	files  map[string]httpapi.File // by path
	widget widgetLocation
}

// widgetLocation is the answer of GET /connect/widget.json.
type widgetLocation struct {
	URL       string `json:"url"` // may be relative to the broker
	Integrity string `json:"integrity,omitempty"`
}

const widgetLocationPath = "/connect/widget.json"

// moduleFiles and standInFiles return the files of connect.js and of the stand-in for the widget,
// which are compressed once for all brokers of the process.
var (
	moduleFiles  = sync.OnceValues(func() (map[string]httpapi.File, error) { return readFiles("/", web.Connect) })
	standInFiles = sync.OnceValues(func() (map[string]httpapi.File, error) { return readFiles("/widget/", web.Widget) })
)

// newConnectFiles returns the routes for the files of connect.js and, if the settings want the
// stand-in, those of the widget.
func newConnectFiles(w config.Web) (*connectFiles, error) {
	c := &connectFiles{widget: widgetLocation{URL: w.WidgetURL, Integrity: w.WidgetIntegrity}}
	module, err := moduleFiles()
	c.files = maps.Clone(module)
	if err != nil || !w.StandIn {
		return c, err
	}
	c.widget = widgetLocation{URL: standInURL}
	standIn, err := standInFiles()
	maps.Copy(c.files, standIn)
	return c, err
}

// readFiles returns the files for browsers in root, by their paths below prefix.
func readFiles(prefix string, root fs.FS) (map[string]httpapi.File, error) {
	files := map[string]httpapi.File{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		var contentType string
		switch path.Ext(name) {
		case ".js":
			contentType = "text/javascript; charset=utf-8"
		case ".ts":
			contentType = "application/typescript; charset=utf-8"
		case ".css":
			contentType = "text/css; charset=utf-8"
		default:
			return nil // package.json
		}
		file, err := httpapi.NewFile(contentType, content)
		if err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		files[prefix+name] = file
		return nil
	})
	return files, err
}

// Mount adds the routes to g, which is at the root.
func (c *connectFiles) Mount(g *echo.Group) {
	for at, file := range c.files {
		g.GET(at, func(ctx echo.Context) error {
			revalidate(ctx)
			return file.Send(ctx)
		})
	}
	g.GET(widgetLocationPath, func(ctx echo.Context) error {
		revalidate(ctx)
		return ctx.JSON(http.StatusOK, c.widget)
	})
}

// revalidate has browsers ask again whether what they have is current: pages must not run a
// release of the module that is older than the broker.
func revalidate(c echo.Context) { c.Response().Header().Set("Cache-Control", "no-cache") }

// anyOrigin reports whether pages of any origin may load what is at this path. The pages of
// hosted links, also below /connect/, are not among it.
func (c *connectFiles) anyOrigin(at string) bool {
	_, isFile := c.files[at]
	return isFile || at == widgetLocationPath || strings.HasPrefix(at, "/widget/")
}
