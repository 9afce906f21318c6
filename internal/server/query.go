package server

import (
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

// apiPrefix is that of the routes that refuse query parameters which they did not declare.
const apiPrefix = "/v1"

// Routes returns all routes, in no order. Their names declare what httpapi.TakesQuery says.
func (r *Router) Routes() []*echo.Route { return r.echo.Routes() }

// declaredQueries returns the query parameters of the routes below apiPrefix, by method and
// path.
func (r *Router) declaredQueries() map[string][]string {
	declared := map[string][]string{}
	for _, route := range r.echo.Routes() {
		if strings.HasPrefix(route.Path, apiPrefix+"/") {
			declared[route.Method+" "+route.Path] = httpapi.DeclaredQuery(route)
		}
	}
	return declared
}

// refuseUnknownQuery refuses query parameters that the route of a request did not declare:
// a filter that is misspelled would otherwise answer with everything.
func (r *Router) refuseUnknownQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawQuery == "" {
			return next(c)
		}
		known, isRoute := r.queries()[c.Request().Method+" "+c.Path()]
		if !isRoute { // the answer is 404 or 405
			return next(c)
		}
		if err := httpapi.CheckQuery(c.Request().URL, known); err != nil {
			return err
		}
		return next(c)
	}
}
