package session

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

// HeaderIdle marks a request that a page makes by itself ("X-Idle: 1"). Such a request
// does not prolong the session.
const HeaderIdle = "X-Idle"

const (
	contextKey = "casbroker/session" // of the Session, in Echo's context
	realm      = `Bearer realm="casbroker"`
)

// errSignIn is the auth.ErrUnauthenticated of routes that also accept a session.
var errSignIn = auth.ErrUnauthenticated.Withf("Sign in: send an admin key to POST /admin/v1/session, " +
	"or send a JWT as Authorization: Bearer <token>.")

// origins trusts no other origin: pages of other sites must not act for an operator.
var origins = http.NewCrossOriginProtection()

// Middleware authenticates a request by its session cookie. A request with an
// Authorization header, or without the cookie, is authenticated by other. Signing in and
// out needs no session. For a session that is over it clears the cookie and returns
// ErrEnded; its other errors are those of Identify.
func (s *Service) Middleware(other echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		otherwise := other(next)
		return func(c echo.Context) error {
			if isPublic(c) {
				return next(c)
			}
			if len(c.Request().Header["Authorization"]) > 0 {
				return otherwise(c)
			}
			session, err := s.Identify(c)
			switch {
			case err != nil:
				return err
			case session != nil:
				return next(c)
			case HasCookie(c):
				clearCookies(c.Response(), c.Request(), "")
				return challenge(c, ErrEnded)
			}
			if err = otherwise(c); errors.Is(err, auth.ErrUnauthenticated) {
				return errSignIn
			}
			return err
		}
	}
}

// Identify returns the session of the request's cookie, nil if there is none, and puts
// its Principal into the request's context. Of several cookies, the one of a session counts, and the
// browser is to delete the others. It returns
// auth.ErrCrossOrigin for a request of a page of another site that changes something or whose
// answer the page could read.
func (s *Service) Identify(c echo.Context) (*Session, error) {
	r := c.Request()
	cookies := cookiesOf(r)
	if len(cookies) > 0 {
		if err := checkOrigin(r); err != nil {
			return nil, err
		}
	}
	session, name, err := s.find(r, cookies)
	if err != nil || session == nil {
		return nil, err
	}
	clearCookies(c.Response(), r, name)
	if ctx := auth.With(r.Context(), session.Principal()); ctx != r.Context() {
		c.SetRequest(r.WithContext(ctx))
	}
	c.Set(contextKey, session)
	return session, nil
}

// find returns the session of one of the cookies of r, and the name of that cookie; nil if there
// is none.
func (s *Service) find(r *http.Request, cookies []*http.Cookie) (*Session, string, error) {
	for _, cookie := range cookies {
		session, err := s.Find(r.Context(), secret.Text(cookie.Value), r.Header.Get(HeaderIdle) == "")
		if err != nil || session != nil {
			return session, cookie.Name, err
		}
	}
	return nil, "", nil
}

// SignOutCaller ends the sessions of the request's cookies, and has the browser delete them. It does
// nothing without one. It returns auth.ErrCrossOrigin like Identify.
func (s *Service) SignOutCaller(c echo.Context) error {
	r := c.Request()
	cookies := cookiesOf(r)
	if len(cookies) > 0 {
		if err := checkOrigin(r); err != nil {
			return err
		}
	}
	for _, cookie := range cookies {
		if err := s.SignOut(r.Context(), secret.Text(cookie.Value)); err != nil {
			return err
		}
	}
	clearCookies(c.Response(), r, "")
	return nil
}

// HasCookie reports whether the request has a session cookie, right or wrong.
func HasCookie(c echo.Context) bool { return len(cookiesOf(c.Request())) > 0 }

// SetCookie sends the browser the token of its session, and has it delete other session cookies.
func SetCookie(c echo.Context, token secret.Text) {
	cookie := newCookie(c.Request(), token)
	clearCookies(c.Response(), c.Request(), cookie.Name)
	c.SetCookie(cookie)
}

// Current returns the session that Identify found for the request, nil if there is none,
// as for a caller with a JWT.
func Current(c echo.Context) *Session {
	session, _ := c.Get(contextKey).(*Session)
	return session
}

// CheckSecure returns nil if a request may sign in. It returns ErrInsecure if the browser
// reached the broker by plain http over a network, and auth.ErrCrossOrigin if the page is
// of another site. A request without an Origin does not come from a browser.
func CheckSecure(r *http.Request) error {
	origin := r.Header.Get("Origin")
	site, plain := strings.CutPrefix(origin, "http://")
	switch {
	case plain && !isLoopback(site):
		return ErrInsecure
	case plain, origin == "", strings.HasPrefix(origin, "https://"):
	case r.Header.Get("Sec-Fetch-Site") == "" && !isLoopback(r.Host):
		// A page may hide its origin ("null"). Browsers send Sec-Fetch-Site only over
		// connections that they trust.
		return ErrInsecure
	}
	return checkOrigin(r)
}

// errProxy is the auth.ErrCrossOrigin of browsers that do not say themselves whether a page is of
// the same site.
var errProxy = auth.ErrCrossOrigin.Withf("The request seems to come from a page of another site: its Origin is not the Host. " +
	"If a proxy is in front of the broker, it must pass the Host header on unchanged.")

// checkOrigin refuses requests of pages of another origin, including another origin of
// the same site, for which browsers send the cookie. Reading is refused too, because it
// happens in the operator's name, unless the operator followed a link.
func checkOrigin(r *http.Request) error {
	if r.Header.Get("Origin") != "" || isEmbedded(r) {
		post := *r
		post.Method = http.MethodPost // which CrossOriginProtection checks, unlike GET
		r = &post
	}
	err := origins.Check(r)
	switch {
	case err == nil:
		return nil
	case r.Header.Get("Sec-Fetch-Site") == "":
		return errProxy.WithNotef("Origin %.100q, Host %.100q", r.Header.Get("Origin"), r.Host).Because(err)
	default:
		return auth.ErrCrossOrigin.Because(err)
	}
}

// isEmbedded reports whether, according to the browser, a page of another origin made
// the request for something else than a new page.
func isEmbedded(r *http.Request) bool {
	site, mode, dest := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	link := mode == "navigate" && (dest == "document" || dest == "")
	return (site == "same-site" || site == "cross-site") && !link
}

// challenge returns err after setting the header that every 401 needs (RFC 9110, section
// 11.6.1).
func challenge(c echo.Context, err error) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, realm)
	return err
}
