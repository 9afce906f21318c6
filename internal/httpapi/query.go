package httpapi

import (
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
)

// TakesQuery declares the query parameters that a route takes, in place of the name of the
// route, which has no other use. Below /v1 the server refuses all others; a route without a
// declaration takes none.
func TakesQuery(route *echo.Route, names ...string) {
	route.Name = "?" + strings.Join(names, "&")
}

// DeclaredQuery returns the query parameters that a route was declared with.
func DeclaredQuery(route *echo.Route) []string {
	names, declared := strings.CutPrefix(route.Name, "?")
	if !declared || names == "" {
		return nil
	}
	return strings.Split(names, "&")
}

// CheckQuery returns an ErrQuery if the query string of u cannot be read, has a parameter
// twice, or has one that is not in known, which it lists then.
func CheckQuery(u *url.URL, known []string) error {
	q, err := QueryParams(u)
	if err != nil {
		return err
	}
	return q.Only(known...)
}
