package auth

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
)

// realm stands in every challenge.
const realm = `Bearer realm="casbroker"`

// Middleware lets a request pass once its caller is known; Caller and From then
// return the Principal. Otherwise it sets WWW-Authenticate as RFC 6750 wants it
// and returns the fault.
func (a *Authenticator) Middleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			who, err := a.identify(r)
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

// Caller returns who makes the request, or the zero Principal, which holds no role.
func Caller(c echo.Context) Principal { return From(c.Request().Context()) }

// Require lets a request pass whose caller holds role, or one of them where role is
// several. It belongs behind Middleware and returns ErrForbidden, or
// ErrUnauthenticated when there is no caller at all.
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

// challenge says in WWW-Authenticate what is wrong with the credentials. Who sent
// none is told the scheme alone (RFC 6750, section 3.1).
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

// Private is what stands before a route with personal data: its answers are kept
// out of every cache, and the caller has to hold role. limit may be nil for none.
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
