package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Dialect turns the Problem of a failed request into the JSON document that answers it.
// A group of routes whose callers expect other members than those of RFC 9457 chooses
// one with InDialect. The document is sent as application/problem+json, unless it has a
// method ContentType that returns another media type.
type Dialect func(Problem) any

const dialectKey = "casbroker.dialect"

// InDialect returns a middleware that has errors of the routes behind it answered in d.
func InDialect(d Dialect) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set(dialectKey, d)
			return next(c)
		}
	}
}

func dialectOf(c echo.Context) Dialect {
	if d, ok := c.Get(dialectKey).(Dialect); ok {
		return d
	}
	return func(p Problem) any { return p }
}

// contentTypeOf returns the media type of a document that a Dialect returned.
func contentTypeOf(document any) string {
	if d, ok := document.(interface{ ContentType() string }); ok {
		return d.ContentType()
	}
	return ContentType
}

// oauthProblem adds to a Problem the members of an OAuth error (RFC 6749, section 5.2).
type oauthProblem struct {
	Problem
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// OAuth is the Dialect of routes whose callers read RFC 6749 errors. The standard has few
// error codes: every mistake in a request is an invalid_request.
func OAuth(p Problem) any {
	o := oauthProblem{Problem: p, Error: "invalid_request", Description: strings.Map(describable, p.Detail)}
	switch {
	case p.Status == http.StatusUnauthorized:
		o.Error = "invalid_client"
	case p.Status == http.StatusForbidden:
		o.Error = "unauthorized_client"
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable:
		o.Error = "temporarily_unavailable" // of section 4.1.2.1, as is the next
	case p.Status >= http.StatusInternalServerError:
		o.Error = "server_error"
	}
	return o
}

// describable replaces characters that error_description must not contain.
func describable(r rune) rune {
	switch {
	case r == '"' || r == '\\':
		return '\''
	case r < ' ' || r > '~':
		return '?'
	default:
		return r
	}
}
