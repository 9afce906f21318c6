package session

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/secret"
)

// HeaderIdle marks a request that a page makes by itself ("X-Idle: 1"): it does not
// make the session last longer.
const HeaderIdle = "X-Idle"

// CookieName is the name of the cookie that holds the token of a session.
const CookieName = "casbroker_session"

const (
	contextKey = "casbroker/session" // of the Session, in Echo's context
	realm      = `Bearer realm="casbroker"`
)

var errManyCookies = auth.ErrInvalidRequest.Withf("Send one session cookie, not several of the same name.")

// origins has no trusted ones: no other page acts for an operator.
var origins = http.NewCrossOriginProtection()

// Middleware lets a request pass whose cookie stands for a session, as its admin. One
// with an Authorization header, or without the cookie, is left to otherwise. Signing in
// and out need no session and pass by themselves. It returns ErrEnded, and
// takes the cookie back, when its session is over, and fails as Identify does.
func (s *Service) Middleware(otherwise echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		others := otherwise(next)
		return func(c echo.Context) error {
			if isOpen(c) {
				return next(c)
			}
			if len(c.Request().Header["Authorization"]) > 0 {
				return others(c)
			}
			token, err := cookieOf(c.Request())
			if err != nil {
				return err
			}
			if token == "" {
				return others(c)
			}
			k, err := s.identify(c, token)
			if err != nil {
				return err
			}
			if k == nil {
				ClearCookie(c)
				return challenge(c, ErrEnded)
			}
			return next(c)
		}
	}
}

// Identify returns the session of the request's cookie, nil when there is none, and
// seats its Principal in the request's context. It returns auth.ErrCrossOrigin for a
// request that changes something and was made by a page of another site, or that such
// a page would be let read the answer of, and auth.ErrInvalidRequest for several cookies.
func (s *Service) Identify(c echo.Context) (*Session, error) {
	token, err := cookieOf(c.Request())
	if err != nil || token == "" {
		return nil, err
	}
	return s.identify(c, token)
}

func (s *Service) identify(c echo.Context, token secret.Text) (*Session, error) {
	r := c.Request()
	k, err := s.Find(r.Context(), token, r.Header.Get(HeaderIdle) == "")
	if err != nil || k == nil {
		return nil, err
	}
	if ctx := auth.With(r.Context(), k.Principal()); ctx != r.Context() {
		c.SetRequest(r.WithContext(ctx))
	}
	c.Set(contextKey, k)
	return k, nil
}

// Current returns the session that Identify found for the request, nil when there is
// none: the caller may have come with a JWT.
func Current(c echo.Context) *Session {
	k, _ := c.Get(contextKey).(*Session)
	return k
}

// CheckSecure reports whether a request may sign in. It returns ErrInsecure when the
// browser says that it reached the broker by plain http over a network, and
// auth.ErrCrossOrigin when the page is of another site. Who sends no Origin is no browser.
func CheckSecure(r *http.Request) error {
	origin := r.Header.Get("Origin")
	site, plain := strings.CutPrefix(origin, "http://")
	switch {
	case plain && !isLoopback(site):
		return ErrInsecure
	case plain, origin == "", strings.HasPrefix(origin, "https://"):
	case r.Header.Get("Sec-Fetch-Site") == "" && !isLoopback(r.Host):
		// A page may keep its origin to itself ("null"). Browsers then send what they
		// tell in its place over connections that can be trusted, and to no others.
		return ErrInsecure
	}
	return checkOrigin(r)
}

// checkOrigin refuses what a page of another site sends, and of another origin of the
// same site, for which browsers send the cookie, too. What only reads is refused as
// well, unless somebody follows a link: it would still be done in the operator's name.
func checkOrigin(r *http.Request) error {
	if r.Header.Get("Origin") != "" || isEmbedded(r) {
		asIfChanging := *r
		asIfChanging.Method = http.MethodPost
		r = &asIfChanging
	}
	if err := origins.Check(r); err != nil {
		return auth.ErrCrossOrigin.Because(err)
	}
	return nil
}

// isEmbedded reports whether a browser says that a page of another origin has the
// request made, and shows no page of its own for it.
func isEmbedded(r *http.Request) bool {
	site, mode, dest := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	followed := mode == "navigate" && (dest == "document" || dest == "")
	return (site == "same-site" || site == "cross-site") && !followed
}

// SetCookie gives the browser the token of its session.
func SetCookie(c echo.Context, token secret.Text) { setCookie(c, token.Reveal(), 0) }

// ClearCookie takes it back.
func ClearCookie(c echo.Context) { setCookie(c, "", -1) }

// setCookie sends a cookie that lasts as long as the browser, or less by maxAge.
func setCookie(c echo.Context, value string, maxAge int) {
	r := c.Request()
	c.SetCookie(&http.Cookie{ //nolint:gosec // not Secure on this machine, where there need be no TLS
		Name: CookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: !isLoopback(r.Host) || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	})
}

// Token returns the token of the request's cookie, "" when there is none, or none that
// Identify would look at.
func Token(c echo.Context) secret.Text {
	token, _ := cookieOf(c.Request())
	return token
}

// cookieOf returns the token of the cookie of r, "" when there is none. It fails for
// several, and for one that a page of another site sends.
func cookieOf(r *http.Request) (secret.Text, error) {
	cookies := r.CookiesNamed(CookieName)
	switch {
	case len(cookies) > 1: // a neighbouring site can plant one beside ours
		return "", errManyCookies
	case len(cookies) == 0 || cookies[0].Value == "":
		return "", nil
	}
	if err := checkOrigin(r); err != nil {
		return "", err
	}
	return secret.Text(cookies[0].Value), nil
}

// isLoopback reports whether host, with or without a port, is this machine.
func isLoopback(host string) bool {
	name := strings.ToLower((&url.URL{Host: host}).Hostname())
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// challenge returns err once the answer says what else would be taken (RFC 9110,
// section 11.6.1).
func challenge(c echo.Context, err error) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, realm)
	return err
}
