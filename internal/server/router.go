// Package server is the HTTP front: the order of the middleware, the Room
// interface by which the rooms add their routes, health, and a listener that stops
// without cutting anybody off. What the routes do is the rooms' own.
package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"casbroker/internal/httpapi"
)

// Room is a part of the service that has routes.
type Room interface {
	Mount(g *echo.Group)
}

// Middleware stands before routes.
type Middleware = echo.MiddlewareFunc

// Observer is told of every request that was answered.
type Observer interface {
	ObserveRequest(route, method string, status int, d time.Duration)
}

// Refused is told of every call that was turned away: of whom ("" for one who is not
// known), which route's, and by which fault's code.
type Refused func(ctx context.Context, actor, route, code string)

// Options say how a Router answers. Log and OpenAPI are required.
type Options struct {
	Log            *slog.Logger
	Observer       Observer       // nil for none
	Refused        Refused        // nil for nobody
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	AllowedOrigins []string       // exact origins that CORS lets in
	NoOrigins      []string       // beginnings of paths that CORS lets nobody in to
	AllowCookies   bool           // let those origins send cookies
	Checks         []Check        // what must be well for /readyz
	OpenAPI        []byte         // the document at /openapi.yaml
}

// Router is the http.Handler of the service. Rooms are mounted before it serves.
type Router struct {
	echo   *echo.Echo
	health *health
}

// NewRouter returns a Router that has only the operator's routes.
func NewRouter(o Options) *Router {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = httpapi.HandleError
	e.IPExtractor = extractor(o.TrustedProxies)
	r := &Router{echo: e, health: &health{checks: o.Checks, log: o.Log}}
	e.Use(identify, observe(o), protect)
	if len(o.AllowedOrigins) > 0 {
		e.Use(middleware.CORSWithConfig(cors(o)))
	}
	e.Use(survive(o.Log))
	e.GET("/healthz", r.health.alive)
	e.GET("/readyz", r.health.ready)
	e.GET("/openapi.yaml", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/yaml", o.OpenAPI)
	})
	return r
}

// Mount lets rooms add their routes under prefix, behind through, first one first.
func (r *Router) Mount(prefix string, through []Middleware, rooms ...Room) {
	if len(through) > 0 {
		r.echo.Use(below(prefix+"/", through))
	}
	for _, room := range rooms {
		room.Mount(r.echo.Group(prefix))
	}
}

// below applies through to the routes under prefix. Echo's own groups would, too,
// but with a catch-all route, which turns a wrong method into a wrong path.
func below(prefix string, through []Middleware) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !strings.HasPrefix(c.Path(), prefix) {
				return next(c)
			}
			h := next
			for _, m := range slices.Backward(through) {
				h = m(h)
			}
			return h(c)
		}
	}
}

// ServeHTTP answers one request. HEAD is answered as GET is; net/http leaves out
// the body.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodHead {
		get := *req
		get.Method = http.MethodGet
		req = &get
	}
	r.echo.ServeHTTP(w, req)
}

// Retire makes /readyz say that the service is stopping, so that no more
// requests are sent to it.
func (r *Router) Retire() { r.health.stopping.Store(true) }

// extractor finds the caller's address: that of the connection, or, when trusted
// proxies stand in between, the last one in X-Forwarded-For that is not theirs.
func extractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		p = p.Masked()
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// cors lets exact origins in, and shows them the headers that a page can use, on
// errors too.
func cors(o Options) middleware.CORSConfig {
	return middleware.CORSConfig{
		// A page of the app may be of the same site, for whose pages a SameSite cookie is sent.
		Skipper: func(c echo.Context) bool {
			path := c.Request().URL.Path
			return slices.ContainsFunc(o.NoOrigins, func(beginning string) bool { return strings.HasPrefix(path, beginning) })
		},
		// Echo would read an origin with a * in it as a pattern.
		AllowOriginFunc:  func(origin string) (bool, error) { return slices.Contains(o.AllowedOrigins, origin), nil },
		AllowMethods:     []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete},
		AllowHeaders:     []string{"Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", httpapi.HeaderRequestID},
		AllowCredentials: o.AllowCookies,
		ExposeHeaders: []string{
			"Content-Disposition", "Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
			"WWW-Authenticate", httpapi.HeaderRequestID,
		},
		MaxAge: 600,
	}
}
