package gateway

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// Handler serves the vendor's API below Path. All fields but Limit, Captures and
// Observe are required.
type Handler struct {
	Path     string   // the prefix of all paths, such as "/gateway"
	Features []string // that are served: Parse, ContractNote
	Vendor   *Vendor
	Tokens   Tokens
	Access   AccessPolicy
	Uploads  *Uploads
	Limit    echo.MiddlewareFunc // counts requests of users; nil for no limit
	Captures Captures            // gets copies of parsed statements; nil for no copies
	Timeouts Timeouts
	Log      *slog.Logger
	Now      func() time.Time
	// Observe is called with the feature and outcome of each call and how long it took.
	// The feature is "other" for a call that is not on the allow-list; the outcomes are
	// the constants of this package.
	Observe func(feature, outcome string, took time.Duration)

	copies atomic.Int64 // bytes of copies in memory
}

// Timeouts bound the parts of a call.
type Timeouts struct {
	Upload time.Duration // until the request was received as a whole
	Answer time.Duration // from then to the end of the vendor's answer
}

// Mount adds the routes to g, which is at Path. They need no other authentication.
func (h *Handler) Mount(g *echo.Group) {
	// This catches all methods and paths, so that each unknown one has the vendor's 404.
	g.RouteNotFound("/*", h.serve)
}

// serve answers one request.
func (h *Handler) serve(c echo.Context) error {
	x := &exchange{Handler: h, feature: featureOther, began: time.Now()}
	outcome := OutcomeAborted // if the proxy panics to cut the connection
	defer func() {
		if h.Observe != nil {
			h.Observe(x.feature, outcome, time.Since(x.began))
		}
	}()
	err := x.serve(c)
	outcome = outcomeOf(x.answered, err)
	return err
}

func (x *exchange) serve(c echo.Context) error {
	h, r := x.Handler, c.Request()
	r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, maxBody(r))
	path := strings.TrimPrefix(r.URL.EscapedPath(), h.Path)
	if isVerify(r, path) {
		return h.answerVerify(c)
	}
	err := x.check(c, path)
	if err == nil {
		limited := x.forward
		if h.Limit != nil {
			limited = h.Limit(x.forward)
		}
		err = limited(c)
	}
	if err != nil && !x.sent {
		drain(c.Response(), r)
	}
	return err
}

// check returns an error if the request may not be made.
func (x *exchange) check(c echo.Context, path string) error {
	r := c.Request()
	t, err := x.authenticate(r)
	if t.Subject != "" {
		who := &auth.Principal{Subject: t.Subject}
		if ctx := auth.With(r.Context(), who); ctx != r.Context() {
			c.SetRequest(r.WithContext(ctx))
		}
	}
	if err != nil {
		return err
	}
	x.token = t
	if x.route, err = find(r, path, x.Features); err != nil {
		return err
	}
	x.feature = x.route.feature
	if !t.may(x.feature) {
		return errFeature
	}
	if r.ContentLength > maxBody(r) {
		return &http.MaxBytesError{Limit: maxBody(r)}
	}
	return nil
}

// forward passes a request on that may be made.
func (x *exchange) forward(c echo.Context) error { return x.pass(c.Response(), c.Request()) }

func (h *Handler) answerVerify(c echo.Context) error {
	v, err := h.verify(c.Request())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, v)
}

// vendorError is an error in the vendor's shape.
type vendorError struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
	Code   string `json:"code"`
}

// ContentType is the media type of the vendor's errors.
func (vendorError) ContentType() string { return echo.MIMEApplicationJSON }

// Dialect is the httpapi.Dialect of the gateway: errors in the vendor's shape, with the
// vendor's codes where it has one.
func Dialect(p httpapi.Problem) any {
	e := vendorError{Status: "failed", Msg: p.Detail, Code: strings.ToUpper(p.Code)}
	switch p.Status {
	case http.StatusUnauthorized:
		e.Code = "INVALID_API_KEY"
	case http.StatusRequestEntityTooLarge:
		e.Code = "FILE_TOO_LARGE"
	case http.StatusTooManyRequests:
		e.Code = "RATE_LIMITED"
	}
	if e.Msg == "" {
		e.Msg = p.Title
	}
	return e
}
