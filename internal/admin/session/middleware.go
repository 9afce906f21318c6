package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/netaddr"
	"casbroker/internal/secret"
)

// HeaderIdle marks a request that a page makes by itself ("X-Idle: 1"). Such a request
// does not prolong the session.
const HeaderIdle = "X-Idle"

// CookieName is the name of the cookie with the token of a session.
const CookieName = "casbroker_session"

const (
	contextKey = "casbroker/session" // of the Session, in Echo's context
	realm      = `Bearer realm="casbroker"`
)

var errManyCookies = auth.ErrInvalidRequest.Withf("Send one session cookie, not several of the same name.")

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
			token, err := tokenOf(c.Request())
			if err != nil {
				return err
			}
			if token == "" {
				if err = otherwise(c); errors.Is(err, auth.ErrUnauthenticated) {
					return errSignIn
				}
				return err
			}
			session, err := s.identify(c, token)
			if err != nil {
				return err
			}
			if session == nil {
				ClearCookie(c)
				return challenge(c, ErrEnded)
			}
			return next(c)
		}
	}
}

// Identify returns the session of the request's cookie, nil if there is none, and puts
// its Principal into the request's context. It returns auth.ErrCrossOrigin for a request
// of a page of another site that changes something or whose answer the page could read,
// and auth.ErrInvalidRequest for several cookies.
func (s *Service) Identify(c echo.Context) (*Session, error) {
	token, err := tokenOf(c.Request())
	if err != nil || token == "" {
		return nil, err
	}
	return s.identify(c, token)
}

func (s *Service) identify(c echo.Context, token secret.Text) (*Session, error) {
	r := c.Request()
	session, err := s.Find(r.Context(), token, r.Header.Get(HeaderIdle) == "")
	if err != nil || session == nil {
		return nil, err
	}
	if ctx := auth.With(r.Context(), session.Principal()); ctx != r.Context() {
		c.SetRequest(r.WithContext(ctx))
	}
	c.Set(contextKey, session)
	return session, nil
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

// checkOrigin refuses requests of pages of another origin, including another origin of
// the same site, for which browsers send the cookie. Reading is refused too, because it
// happens in the operator's name, unless the operator followed a link.
func checkOrigin(r *http.Request) error {
	if r.Header.Get("Origin") != "" || isEmbedded(r) {
		post := *r
		post.Method = http.MethodPost // which CrossOriginProtection checks, unlike GET
		r = &post
	}
	if err := origins.Check(r); err != nil {
		return auth.ErrCrossOrigin.Because(err)
	}
	return nil
}

// isEmbedded reports whether, according to the browser, a page of another origin made
// the request for something else than a new page.
func isEmbedded(r *http.Request) bool {
	site, mode, dest := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	link := mode == "navigate" && (dest == "document" || dest == "")
	return (site == "same-site" || site == "cross-site") && !link
}

// SetCookie sends the browser the token of its session.
func SetCookie(c echo.Context, token secret.Text) { setCookie(c, token.Reveal(), 0) }

// ClearCookie has the browser delete the cookie.
func ClearCookie(c echo.Context) { setCookie(c, "", -1) }

// setCookie sends a cookie that the browser keeps until it is closed, or deletes at once
// if maxAge is negative.
func setCookie(c echo.Context, value string, maxAge int) {
	r := c.Request()
	c.SetCookie(&http.Cookie{ //nolint:gosec // not Secure on loopback, which works without TLS
		Name: CookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: !isLoopback(r.Host) || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	})
}

// Token returns the token of the request's cookie, "" if there is none or Identify would
// refuse it.
func Token(c echo.Context) secret.Text {
	token, _ := tokenOf(c.Request())
	return token
}

// tokenOf returns the token of the cookie of r, "" if there is none. It fails for several
// cookies, and for one that a page of another site sends.
func tokenOf(r *http.Request) (secret.Text, error) {
	cookies := r.CookiesNamed(CookieName)
	switch {
	case len(cookies) > 1: // another host of the same domain can set a second one
		return "", errManyCookies
	case len(cookies) == 0 || cookies[0].Value == "":
		return "", nil
	}
	if err := checkOrigin(r); err != nil {
		return "", err
	}
	return secret.Text(cookies[0].Value), nil
}

// isLoopback reports whether a browser takes host, with or without a port, for this
// machine: browsers resolve every name below localhost to it.
func isLoopback(host string) bool {
	name := strings.ToLower((&url.URL{Host: host}).Hostname())
	return netaddr.IsLoopback(host) || strings.HasSuffix(name, ".localhost")
}

// challenge returns err after setting the header that every 401 needs (RFC 9110, section
// 11.6.1).
func challenge(c echo.Context, err error) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, realm)
	return err
}
