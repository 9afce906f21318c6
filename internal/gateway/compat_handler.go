package gateway

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// parsePath is the vendor's call that MountCompat makes.
const parsePath = "/v4/smart/parse"

// MountCompat adds a parse at path, for front ends that upload to their own back end,
// behind chain, which must authenticate callers. The form and the answer are the vendor's.
// The caller needs no access token: the call is bounded, recorded and copied as one with a
// token of theirs. It works without Mount.
func (h *Handler) MountCompat(g *echo.Group, path string, chain ...echo.MiddlewareFunc) {
	g.POST(path, func(c echo.Context) error { return h.observed(c, (*exchange).serveOwn) }, append(chain, auth.Private(auth.RoleUser, nil)...)...)
}

// serveOwn answers a request of a caller without a token.
func (x *exchange) serveOwn(c echo.Context) error { return x.admit(c, x.checkOwn(c.Request())) }

// checkOwn returns an error if the request may not be made.
func (x *exchange) checkOwn(r *http.Request) error {
	x.token = Token{Subject: auth.From(r.Context()).Subject, Features: []string{Parse}}
	call := &http.Request{Method: http.MethodPost}
	var err error
	if x.route, _, err = find(call, parsePath, x.token.Features); err != nil {
		return err
	}
	if err := httpapi.CheckQuery(r.URL, nil); err != nil {
		return err
	}
	if _, err := x.Access.Admit(x.token.Subject); err != nil {
		return err
	}
	return x.checkRoute(r)
}
