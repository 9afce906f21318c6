// Package server is the HTTP server: the order of the middleware, the Routes interface
// by which other packages add their routes, the health routes, and a listener that shuts
// down gracefully.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/tracing"
)

// Routes is a set of routes that a Router serves.
type Routes interface {
	Mount(g *echo.Group)
}

// Middleware wraps the handlers of routes.
type Middleware = echo.MiddlewareFunc

// Observer is notified of every request. It is called concurrently.
type Observer interface {
	ObserveRequest(route, method string, status int, d time.Duration)
}

// OnRefused is called for every request that was not authenticated, lacked permission or
// reached a limit or a budget. actor is "" for an unauthenticated caller, route is such as
// "GET /v1/portfolios", and code is that of the fault. It is called concurrently.
type OnRefused func(ctx context.Context, actor, route string, f *fault.Fault)

// Sample says which requests have a line in the log: one of Every, and all that failed or took at
// least Slow. The zero value is all.
type Sample struct {
	Every int
	Slow  time.Duration
}

// Options configures a Router. Log and OpenAPI are required.
type Options struct {
	Log            *slog.Logger
	Observer       Observer  // nil for none
	OnRefused      OnRefused // nil for none
	Sample         Sample
	OnError        func(error)    // called, concurrently, with the error of each request that one is answered to; nil for none
	TrustedProxies []netip.Prefix // networks whose X-Forwarded-For is trusted
	// OnForwardedIgnored is called, concurrently, for each request whose X-Forwarded-For is
	// not used, or not all of it, with UntrustedPeer or UnreadableItem; nil for none.
	OnForwardedIgnored func(reason string)
	AllowedOrigins     []string // exact origins that CORS allows
	AllowedHeaders     []string // that their pages may send besides those of the API; * at the end stands for any rest
	PublicURL          string   // whose pages are of no other origin; "" for that of each request
	// OnOriginRefused is called, concurrently, for each request of a page of another origin
	// that is not allowed, with PreflightRequest or ActualRequest; nil for none.
	OnOriginRefused func(request string)
	AnyOrigin       func(path string) bool // whether pages of any origin may load what is at path; nil for nothing
	NoCORS          []string               // prefixes of paths that no other origin may use
	AllowCookies    bool                   // let AllowedOrigins send cookies
	Checks          []Check                // dependencies that /readyz asks
	OpenAPI         []byte                 // the document at /openapi.yaml
	BodyRate        httpapi.BodyRate
	Tracer          *tracing.Tracer // nil for none
	TrustedCallers  []netip.Prefix  // who decide which traces are sent
	seen            *atomic.Uint64  // requests that Sample is about
}

// Router is the http.Handler of the service. Routes are mounted before it serves.
type Router struct {
	echo    *echo.Echo
	health  *health
	queries func() map[string][]string // declaredQueries, once all routes are mounted
	chain   []Middleware               // the first is the outermost
	handle  echo.HandlerFunc           // the route of a request, behind chain
}

// NewRouter returns a Router with the health routes and /openapi.yaml only.
func NewRouter(o Options) *Router {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = httpapi.HandleError
	forwarded := newForwarded(o)
	e.IPExtractor = forwarded.extract
	r := &Router{echo: e, health: &health{checks: o.Checks, log: o.Log}}
	r.queries = sync.OnceValue(r.declaredQueries)
	r.use(requestContext(forwarded))
	if o.Tracer != nil {
		r.use(trace(o))
	}
	r.use(observe(o), securityHeaders, r.health.closeWhenStopping, timeBodies(o.BodyRate))
	r.use(newCORS(o).handle, recoverPanic(o.Log))
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return r.handle })
	e.GET(alivePath, r.health.alive)
	e.GET(readyPath, r.health.ready)
	e.GET("/openapi.yaml", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/yaml", o.OpenAPI)
	})
	return r
}

// use adds middleware at the inner end of the chain. The chain is put together here, once: Echo
// would do so for each request, which was a fifth of the allocations of one for a token.
func (r *Router) use(more ...Middleware) {
	r.chain = append(r.chain, more...)
	r.handle = wrap(func(c echo.Context) error { return c.Handler()(c) }, r.chain)
}

// wrap returns h behind chain.
func wrap(h echo.HandlerFunc, chain []Middleware) echo.HandlerFunc {
	for _, m := range slices.Backward(chain) {
		h = m(h)
	}
	return h
}

// Below returns routes with prefix before their paths.
func Below(prefix string, routes ...Routes) Routes { return below{prefix, routes} }

type below struct {
	prefix string
	routes []Routes
}

// Mount adds the routes to g.
func (b below) Mount(g *echo.Group) {
	for _, add := range b.routes {
		add.Mount(g.Group(b.prefix))
	}
}

// Mount adds routes under prefix, behind chain, whose first middleware is the outermost. Behind
// the chain of /v1, query parameters that a route did not declare are refused.
func (r *Router) Mount(prefix string, chain []Middleware, routes ...Routes) {
	if len(chain) > 0 {
		if prefix == apiPrefix {
			chain = append(slices.Clip(chain), r.refuseUnknownQuery)
		}
		r.use(forPrefix(prefix+"/", chain))
	}
	for _, add := range routes {
		add.Mount(r.echo.Group(prefix))
	}
}

// forPrefix applies chain to the routes under prefix. Echo's groups can do that too,
// but they add a catch-all route, which answers 404 instead of 405 to a wrong method.
func forPrefix(prefix string, chain []Middleware) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		behind := wrap(next, chain)
		return func(c echo.Context) error {
			if strings.HasPrefix(c.Path(), prefix) {
				return behind(c)
			}
			return next(c)
		}
	}
}

// ServeHTTP answers one request. HEAD is routed as GET; net/http omits the body.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodHead {
		get := *req
		get.Method = http.MethodGet
		req = &get
	}
	r.echo.ServeHTTP(w, req)
}

// SetNotReady makes /readyz answer that the service is stopping, so that load balancers
// send no more requests, and has each answer close its connection.
func (r *Router) SetNotReady() { r.health.stopping.Store(true) }
