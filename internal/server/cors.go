package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// ErrOrigin is returned for a request of a page of an origin that may not call the service.
var ErrOrigin = fault.New(fault.Forbidden, "origin_not_allowed", "Pages of this origin may not call this service.")

// The requests of pages of other origins that are refused.
const (
	PreflightRequest = "preflight" // by which a browser asks whether it may make a call
	ActualRequest    = "actual"
)

// headerOriginRefused is that of an answer which a browser does not show to the page.
const headerOriginRefused = "X-Origin-Refused"

var varyOrigin = []string{echo.HeaderOrigin}

// What pages of allowed origins may use.
const (
	corsMethods = "GET, HEAD, POST, PUT, DELETE"
	corsHeaders = "Authorization, Content-Type, Content-Encoding, Idempotency-Key, If-None-Match, Prefer, X-Api-Key, X-Inbox-Token, " + httpapi.HeaderRequestID
	corsExposed = "Content-Disposition, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, " +
		httpapi.HeaderRequestID
	corsMaxAge = "600" // seconds
)

// maxOriginsLogged is how many refused origins the log has in originsEvery, each once.
const (
	maxOriginsLogged = 20
	originsEvery     = time.Minute
)

// cors answers preflights, and tells browsers which answers a page may read.
type cors struct {
	allowed   []string // origins
	own       string   // the origin of the service, "" if that is not known
	headers   []string // that pages may send, besides corsHeaders; * at the end stands for any rest
	public    func(path string) bool
	private   []string // prefixes of paths that no page of another origin may use
	cookies   bool     // whether pages may send cookies
	onRefused func(request string)
	log       *slog.Logger

	mu    sync.Mutex
	since time.Time
	said  map[string]bool // refused origins that are in the log since then
}

func newCORS(o Options) *cors {
	s := &cors{
		allowed: o.AllowedOrigins, headers: o.AllowedHeaders, public: o.AnyOrigin, private: o.NoCORS, cookies: o.AllowCookies, onRefused: o.OnOriginRefused, log: o.Log,
	}
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		s.own = u.Scheme + "://" + u.Host
	}
	return s
}

// handle is the middleware.
func (s *cors) handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		if s.public != nil && s.public(r.URL.Path) {
			h.Set(echo.HeaderAccessControlAllowOrigin, "*")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
			return next(c)
		}
		h[echo.HeaderVary] = varyOrigin
		origin := r.Header.Get(echo.HeaderOrigin)
		if origin == "" {
			return next(c)
		}
		// The app's pages may be same-site with the broker, so browsers send them the
		// operators' SameSite cookie: they must not read the operators' routes.
		private := slices.ContainsFunc(s.private, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) })
		allowed := !private && slices.Contains(s.allowed, origin)
		if allowed {
			h.Set(echo.HeaderAccessControlAllowOrigin, origin)
			if s.cookies {
				h.Set(echo.HeaderAccessControlAllowCredentials, "true")
			}
		}
		switch {
		case r.Method == http.MethodOptions && allowed:
			return s.answerPreflight(c)
		case r.Method == http.MethodOptions:
			return s.refuse(c, origin, PreflightRequest)
		case allowed:
			h.Set(echo.HeaderAccessControlExposeHeaders, corsExposed)
		case !private && s.isOther(r, origin):
			return s.refuseActual(c, origin, next)
		}
		return next(c)
	}
}

// answerPreflight allows what a page of an allowed origin asks for, as far as it may have it.
func (s *cors) answerPreflight(c echo.Context) error {
	h, headers := c.Response().Header(), corsHeaders
	h.Add(echo.HeaderVary, echo.HeaderAccessControlRequestMethod)
	h.Add(echo.HeaderVary, echo.HeaderAccessControlRequestHeaders)
	for name := range strings.SplitSeq(c.Request().Header.Get(echo.HeaderAccessControlRequestHeaders), ",") {
		if name = strings.TrimSpace(name); s.mayHave(name) {
			headers += ", " + name
		}
	}
	h.Set(echo.HeaderAccessControlAllowMethods, corsMethods)
	h.Set(echo.HeaderAccessControlAllowHeaders, headers)
	h.Set(echo.HeaderAccessControlMaxAge, corsMaxAge)
	return c.NoContent(http.StatusNoContent)
}

// mayHave reports whether requests of allowed pages may have a header, besides corsHeaders.
func (s *cors) mayHave(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(s.headers, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(name, prefix)
		}
		return name == pattern
	})
}

// isOther reports whether r comes from a page of another origin, as far as r shows.
func (s *cors) isOther(r *http.Request, origin string) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		mode := r.Header.Get("Sec-Fetch-Mode") // the answer to a form or an image is not the page's
		return site != "same-origin" && site != "none" && (mode == "" || mode == "cors")
	}
	_, host, _ := strings.Cut(origin, "://")
	return origin != s.own && !strings.EqualFold(host, r.Host)
}

// refuseActual refuses a call whose answer the page would not see. A program that sends an
// Origin gets its answer, which says that a page would not.
func (s *cors) refuseActual(c echo.Context, origin string, next echo.HandlerFunc) error {
	err := s.refuse(c, origin, ActualRequest)
	if c.Request().Header.Get("Sec-Fetch-Mode") == "cors" {
		return err
	}
	return next(c)
}

// refuse reports a request of a page of an origin that is not allowed.
func (s *cors) refuse(c echo.Context, origin, request string) error {
	c.Response().Header().Set(headerOriginRefused, "the origin is not allowed to call this path")
	if s.onRefused != nil {
		s.onRefused(request)
	}
	s.report(c.Request().Context(), origin, request, c.Request().URL.Path)
	return ErrOrigin
}

// report says in the log that an origin was refused, once in originsEvery.
func (s *cors) report(ctx context.Context, origin, request, path string) {
	const most = 200 // bytes
	origin, path = origin[:min(len(origin), most)], path[:min(len(path), most)]
	s.mu.Lock()
	if now := time.Now(); now.Sub(s.since) > originsEvery {
		s.since, s.said = now, map[string]bool{}
	}
	again := s.said[origin] || len(s.said) >= maxOriginsLogged
	if !again {
		s.said[origin] = true
	}
	s.mu.Unlock()
	if !again {
		s.log.WarnContext(ctx, "a page of another origin was refused: if it is yours, add its origin to server.allowed_origins; "+
			"no page may use the routes of operators and services", "origin", origin, "request", request, "path", path)
	}
}
