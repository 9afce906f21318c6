package auth

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
)

// realm starts every challenge.
const realm = `Bearer realm="casbroker"`

// Middleware authenticates requests; behind it, Caller and From return the Principal. If
// that fails it sets WWW-Authenticate according to RFC 6750 and returns the fault.
func (a *Authenticator) Middleware() echo.MiddlewareFunc { return a.middleware(false) }

// ChangingMiddleware is Middleware for routes that change something even with GET. A
// cookie authenticates those, too, only for pages of a trusted origin.
func (a *Authenticator) ChangingMiddleware() echo.MiddlewareFunc { return a.middleware(true) }

func (a *Authenticator) middleware(changes bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			who, err := a.identify(r, changes)
			if err != nil {
				challenge(c, err)
				return err
			}
			if ctx := With(r.Context(), who); ctx != r.Context() {
				c.SetRequest(r.WithContext(ctx))
			}
			return next(c)
		}
	}
}

// Caller returns the caller of the request, or the zero Principal, which has no role.
func Caller(c echo.Context) Principal { return From(c.Request().Context()) }

// Require passes a request on if its caller has role, or one of them if role combines
// several. It must run after Middleware. It returns ErrForbidden, or ErrUnauthenticated
// if the request has no caller.
func Require(role Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := Caller(c)
			if who.Has(role) {
				return next(c)
			}
			err := ErrForbidden.Withf("This call needs the role %s.", strings.ReplaceAll(role.String(), ", ", " or "))
			if who.Subject == "" {
				err = ErrUnauthenticated
			}
			challenge(c, err)
			return err
		}
	}
}

// challenge sets WWW-Authenticate according to err. Without credentials only the scheme
// is sent (RFC 6750, section 3.1).
func challenge(c echo.Context, err error) {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return
	}
	value := realm
	switch {
	case errors.Is(f, ErrUnauthenticated), errors.Is(f, ErrCrossOrigin):
	case errors.Is(f, ErrForbidden):
		value += `, error="insufficient_scope", error_description="` + f.Detail + `"`
	case errors.Is(f, ErrInvalidToken), errors.Is(f, ErrInvalidRequest):
		value += `, error="` + f.Code + `", error_description="` + f.Detail + `"`
	default:
		return
	}
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, value)
}

// Private returns the middleware of a route with personal data: it forbids caching of
// the answers and requires role. limit may be nil.
func Private(role Role, limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	all := []echo.MiddlewareFunc{noStore, Require(role)}
	if limit == nil {
		return all
	}
	return append(all, limit)
}

func noStore(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return next(c)
	}
}
