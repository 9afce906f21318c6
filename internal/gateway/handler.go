package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// Handler serves the vendor's API below Path. All fields but the limits, the hosts,
// Health, Captures, Calls and Observe are required.
type Handler struct {
	Path      string   // the prefix of all paths, such as "/gateway"
	Features  []string // that are served, such as Parse
	Vendor    *Vendor
	Keys      Keys
	Health    Health // nil for none
	Tokens    Tokens
	Access    AccessPolicy
	Uploads   *Uploads
	Limit     echo.MiddlewareFunc // counts calls that cost credits; nil for no limit
	LimitFree echo.MiddlewareFunc // counts the other calls; nil for no limit
	Captures  Captures            // gets copies of parsed statements; nil for no copies
	Calls     Calls               // records calls that cost credits; nil for no records
	Owned     Ownership
	Mail      *Mail // required with the feature InboundEmail
	// Reference returns what stands for a user at the vendor, the same each time.
	Reference func(subject string) string
	// URL returns the gateway's own URL for a request to host.
	URL func(host string) string
	// CallbackHosts and RedirectHosts are the hosts, with their ports, that the vendor may
	// send files to, and that a browser may be sent back to.
	CallbackHosts, RedirectHosts []string

	// OnPremise is set for a parser that the operator runs: its calls cost no credits, and it
	// gets no addresses to fetch, since it may reach servers that callers must not.
	OnPremise bool

	// LookUp returns the addresses of a host; nil for those that the system knows.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)

	Timeouts Timeouts
	Log      *slog.Logger
	Now      func() time.Time
	// Observe is called with the feature and outcome of each call and how long it took.
	// The feature is "other" for a call that is not on the allow-list; the outcomes are
	// the constants of this package.
	Observe func(feature, outcome string, took time.Duration)

	copies   atomic.Int64   // bytes of copies in memory
	settling sync.WaitGroup // recorded calls that are not settled
	owned    ownedCache
}

// Timeouts bound the parts of a call: until the request was received as a whole, and from
// then to the end of the vendor's answer.
type Timeouts struct {
	Upload time.Duration
	Parse  time.Duration // of documents
	OTP    time.Duration // of CDSL's sessions
	Other  time.Duration
}

// answer returns how long the vendor may take for a call of feature.
func (t Timeouts) answer(feature string) time.Duration {
	switch feature {
	case Parse, ContractNote:
		return t.Parse
	case Fetch:
		return t.OTP
	default:
		return t.Other
	}
}

// Mount adds the routes to g, which is at Path. They need no other authentication.
func (h *Handler) Mount(g *echo.Group) {
	// This catches all methods and paths, so that each unknown one has the vendor's 404.
	g.RouteNotFound("/*", h.serve)
}

// serve answers one request.
func (h *Handler) serve(c echo.Context) error { return h.observed(c, (*exchange).serve) }

// observed has a new exchange answer a request with serve, and reports how that ended.
func (h *Handler) observed(c echo.Context, serve func(*exchange, echo.Context) error) error {
	x := &exchange{Handler: h, feature: featureOther, began: time.Now(), captured: h.Captures}
	var err error
	outcome := OutcomeAborted // if the proxy panics to cut the connection
	defer func() {
		x.endRecord(c.Request().Context(), outcome, err)
		if h.Observe != nil {
			h.Observe(x.feature, outcome, time.Since(x.began))
		}
	}()
	err = serve(x, c)
	outcome = outcomeOf(x.answered, err)
	return err
}

func (x *exchange) serve(c echo.Context) error {
	h, r := x.Handler, c.Request()
	path := strings.TrimPrefix(r.URL.EscapedPath(), h.Path)
	if isVerify(r, path) {
		return h.answerVerify(c)
	}
	if h.isCallback(r, path) {
		x.feature = Inbox
		return limit(h.LimitFree, func(c echo.Context) error { return h.finishConnection(c.Response(), c.Request()) })(c)
	}
	return x.admit(c, x.check(c, path))
}

// admit passes the request on, unless refused says why it must not be, and bounds its body
// and the caller's requests.
func (x *exchange) admit(c echo.Context, refused error) error {
	h, r, err := x.Handler, c.Request(), refused
	x.arriving = r.Body
	// The body is bounded also if it is only drained.
	body := http.MaxBytesReader(c.Response().Writer, r.Body, x.route.maxBody(r))
	r.Body = body
	if err == nil {
		by := h.Limit
		if x.route.free {
			by = h.LimitFree
		}
		err = limit(by, x.forward)(c)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok && tooLarge.Limit > maxSmall {
		err = errTooLarge.Because(err)
	}
	if err != nil && (!x.sent || x.document != nil && x.document.refused.Load()) {
		x.drain(c.Response(), r, body)
	}
	return err
}

// limit returns next behind by; nil means no limit.
func limit(by echo.MiddlewareFunc, next echo.HandlerFunc) echo.HandlerFunc {
	if by == nil {
		return next
	}
	return by(next)
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
	if x.route, x.resource, err = find(r, path, x.Features); err != nil {
		return err
	}
	return x.checkRoute(r)
}

// checkRoute returns an error if the token may not be used for the route, or the body is
// too long for it or encoded.
func (x *exchange) checkRoute(r *http.Request) error {
	x.feature = x.route.feature
	if !x.token.may(x.feature) {
		return errFeature
	}
	if limit := x.route.maxBody(r); r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	return httpapi.RefuseEncoding(r.Header)
}

// forward passes a request on that may be made.
func (x *exchange) forward(c echo.Context) error {
	w, r := c.Response(), c.Request()
	x.id = w.Header().Get(httpapi.HeaderRequestID)
	if x.route.answer != nil {
		return x.route.answer(x, w, r)
	}
	if r.Method != http.MethodPost {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if x.route.upload {
		if err := x.checkDocument(w, r); err != nil {
			return err
		}
	}
	if x.route.prepare != nil {
		if err := x.route.prepare(x, r); err != nil {
			return err
		}
	}
	return x.pass(w, r)
}

func (h *Handler) answerVerify(c echo.Context) error {
	v, err := h.verify(c.Request())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, v)
}

// Mount adds the route to g.
func (h *Inbound) Mount(g *echo.Group) {
	g.POST("/:secret", h.serve)
	// The log has the path of a request without a route, which may be a secret.
	g.RouteNotFound("/:secret/*", func(echo.Context) error { return ErrNoCallback })
}

// callbackView is the answer to a callback.
type callbackView struct {
	Files int `json:"files"` // that were new
}

// serve answers one callback.
func (h *Inbound) serve(c echo.Context) error {
	a, err := h.receive(c.Request().Context(), c.Param("secret"), http.MaxBytesReader(c.Response().Writer, c.Request().Body, maxCallback))
	if h.Observe != nil {
		h.Observe(callbackOutcome(a, err))
	}
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, callbackView{a.Files})
}

// vendorError is an error in the vendor's shape.
type vendorError struct {
	Status string `json:"status"`
	Msg    string `json:"msg"`
	Code   string `json:"code"`
	// RequiresReconnect tells the widget to connect the mailbox again.
	RequiresReconnect bool `json:"requires_reconnect,omitzero"`
}

// ContentType is the media type of the vendor's errors.
func (vendorError) ContentType() string { return echo.MIMEApplicationJSON }

// Dialect is the httpapi.Dialect of the gateway: errors in the vendor's shape, with the
// vendor's codes where it has one.
func Dialect(p httpapi.Problem) any {
	e := vendorError{Status: "failed", Msg: p.Detail, Code: strings.ToUpper(p.Code)}
	switch {
	case p.Code == errNoMailbox.Code:
		e.RequiresReconnect = true
	case p.Status == http.StatusUnauthorized:
		e.Code = "INVALID_API_KEY"
	case p.Status == http.StatusRequestEntityTooLarge:
		e.Code = "FILE_TOO_LARGE"
	case p.Status == http.StatusTooManyRequests:
		e.Code = "RATE_LIMITED"
	}
	if e.Msg == "" {
		e.Msg = p.Title
	}
	return e
}
