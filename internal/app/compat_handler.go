package app

import (
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/gateway"
	"casbroker/internal/httpapi"
	"casbroker/internal/portfolio"
	"casbroker/internal/ratelimit"
	"casbroker/internal/token"
)

// compatRoutes are the routes at paths of the app's choosing. They call the handlers of the
// broker's own.
type compatRoutes struct {
	routes     []config.CompatRoute
	callers    *auth.Authenticator
	limits     *ratelimit.Limiter
	refuse     []echo.MiddlewareFunc // refuse callers who are authenticated, as under /v1
	tokens     *token.Handler
	portfolios *portfolio.Handler
	gateway    *gateway.Handler // nil if there is no route of the kind parse
}

// Mount adds the routes to g, which is at the root.
func (r compatRoutes) Mount(g *echo.Group) {
	for _, route := range r.routes {
		switch route.Is {
		case config.CompatToken:
			r.tokens.MountCompat(g, route.Path, r.chain(r.callers.ChangingMiddleware())...)
		case config.CompatSave:
			r.portfolios.MountCompat(g, route.Path, r.chain(r.callers.Middleware())...)
		case config.CompatParse:
			r.gateway.MountCompat(g, route.Path, r.chain(r.callers.Middleware())...)
		}
	}
}

// chain returns the middleware of a route, with authenticate among them.
func (r compatRoutes) chain(authenticate echo.MiddlewareFunc) []echo.MiddlewareFunc {
	chain := []echo.MiddlewareFunc{
		httpapi.InDialect(httpapi.Compat), r.limits.LimitAuthFailures(), r.limits.LimitServiceKeys(), authenticate,
	}
	return append(chain, r.refuse...)
}
