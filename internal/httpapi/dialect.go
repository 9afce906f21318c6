package httpapi

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Dialect turns the Problem of a failed request into the JSON document that answers it.
// A group of routes whose callers expect other members than those of RFC 9457 chooses
// one with InDialect. The document is sent as application/problem+json with the status of
// the Problem, unless it has methods ContentType and HTTPStatus that return others.
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

// statusOf returns the status with which a document that a Dialect returned for p is sent.
func statusOf(document any, p Problem) int {
	if d, ok := document.(interface{ HTTPStatus() int }); ok {
		return d.HTTPStatus()
	}
	return p.Status
}

// oauthProblem adds to a Problem the members of an OAuth error (RFC 6749, section 5.2).
type oauthProblem struct {
	Problem
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// ContentType is the media type that RFC 6749 asks for.
func (oauthProblem) ContentType() string { return echo.MIMEApplicationJSON }

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

// oauthTokenProblem is an oauthProblem of the token endpoint, which answers nearly every
// mistake with the status 400 (RFC 6749, section 5.2).
type oauthTokenProblem struct{ oauthProblem }

// HTTPStatus is the status of the answer.
func (p oauthTokenProblem) HTTPStatus() int { return p.Status }

// oauthTokenErrors are the RFC 6749 and RFC 8693 errors of Problems, by their code.
var oauthTokenErrors = map[string]string{
	"unsupported_grant_type": "unsupported_grant_type",
	"unauthorized_client":    "unauthorized_client",
	"invalid_target":         "invalid_target",
	"invalid_scope":          "invalid_scope",
	"invalid_features":       "invalid_scope", // scopes of gateway tokens are features
	"tokens_unavailable":     "unsupported_grant_type",
}

// OAuthToken is the Dialect of the token endpoint. A subject token that is not valid, or
// whose user may have no token, is an invalid_request (RFC 8693, section 2.2.2).
func OAuthToken(p Problem) any {
	o, _ := OAuth(p).(oauthProblem)
	switch {
	case p.Code == "invalid_client", p.Status >= http.StatusInternalServerError:
		return oauthTokenProblem{o}
	case p.Status == http.StatusRequestTimeout, p.Status == http.StatusRequestEntityTooLarge, p.Status == http.StatusUnsupportedMediaType, p.Status == http.StatusTooManyRequests:
		return oauthTokenProblem{o}
	}
	o.Status, o.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
	o.Error = cmp.Or(oauthTokenErrors[p.Code], "invalid_request")
	return oauthTokenProblem{o}
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
