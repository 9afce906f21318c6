package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

// Challenge is the WWW-Authenticate of an answer to a request without valid credentials.
// Every challenge begins with it.
const Challenge = `Bearer realm="casbroker"`

// Middleware authenticates requests; behind it, Caller and From return the Principal. If
// that fails it sets WWW-Authenticate according to RFC 6750 and returns the fault.
func (a *Authenticator) Middleware() echo.MiddlewareFunc { return a.middleware(onChange) }

// ChangingMiddleware is Middleware for routes that change something even with GET. A
// cookie authenticates those, too, only for pages of a trusted origin.
func (a *Authenticator) ChangingMiddleware() echo.MiddlewareFunc { return a.middleware(onEachCall) }

// RecordedMiddleware is Middleware for routes where reads are put on record in the caller's
// name. A cookie authenticates those only if the browser says that a page of a trusted origin
// or the user makes the call.
func (a *Authenticator) RecordedMiddleware() echo.MiddlewareFunc { return a.middleware(withProof) }

func (a *Authenticator) middleware(check originCheck) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			who, err := a.identify(r, check)
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
// several. A service that acts for a user needs AllScopes, too; RequireUser asks for less.
// It must run after Middleware. It returns ErrForbidden, or ErrUnauthenticated if the
// request has no caller.
func Require(role Role) echo.MiddlewareFunc { return require(role, AllScopes) }

// RequireUser is Require for RoleUser, for calls that a service may make for a user if it
// has scope.
func RequireUser(scope Scope) echo.MiddlewareFunc { return require(RoleUser, scope) }

func require(role Role, scope Scope) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := Caller(c)
			if who.Has(role) && (who.Actor == "" || who.Scopes.Has(scope)) {
				return next(c)
			}
			err := lacking(c.Path(), who, role, scope)
			challenge(c, err)
			return err
		}
	}
}

// requireService passes a request on if its caller is a service that has scope.
func requireService(scope Scope) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := Caller(c)
			if who.Actor == "" && who.Scopes.Has(scope) {
				return next(c)
			}
			err := ErrForbidden.Withf("This call is for services and needs %s.", scope.needed())
			if who.Subject == "" {
				err = ErrUnauthenticated
			}
			challenge(c, err)
			return err
		}
	}
}

// lacking returns the error for a caller who may not use the route at path, since that
// needs role, and scope for a service that acts for a user.
func lacking(path string, who Principal, role Role, scope Scope) error {
	switch {
	case who.Subject == "":
		return ErrUnauthenticated
	case who.Actor != "":
		return ErrForbidden.Withf("This call needs %s.", scope.needed())
	}
	names := strings.ReplaceAll(role.String(), ", ", " or ")
	if role.has(RoleUser) && who.Scopes != 0 {
		return ErrForbidden.Withf("This call needs the role %s. A service makes it for a user at %s.", names, userPath(path))
	}
	return ErrForbidden.Withf("This call needs the role %s.", names)
}

// challenge sets WWW-Authenticate according to err. Without credentials only the scheme
// is sent (RFC 6750, section 3.1).
func challenge(c echo.Context, err error) {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return
	}
	value := Challenge
	switch {
	case errors.Is(f, ErrUnauthenticated), errors.Is(f, ErrCrossOrigin):
	case errors.Is(f, ErrForbidden):
		value += `, error="insufficient_scope", error_description="` + f.Detail + `"`
	case errors.Is(f, ErrServiceKey): // RFC 6750 has no code of its own for it
		value += `, error="` + ErrInvalidToken.Code + `", error_description="` + f.Detail + `"`
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
	return private(Require(role), limit)
}

// PrivateUser is Private for RoleUser, for calls that a service may make for a user if it
// has scope.
func PrivateUser(scope Scope, limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	return private(RequireUser(scope), limit)
}

// PrivateService is Private for calls that a service makes for itself.
func PrivateService(scope Scope, limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	return private(requireService(scope), limit)
}

func private(require, limit echo.MiddlewareFunc) []echo.MiddlewareFunc {
	all := []echo.MiddlewareFunc{noStore, require}
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

// ForUser is the middleware of routes below /v1/users/{subject}/, with which a service makes
// the calls of a user. Behind it, the Principal is that user, with the service as its Actor
// and the scopes of the service, which RequireUser checks. It must run after Middleware. It
// returns ErrSubject, ErrUnknownVerifier, or ErrForbidden for a user of a verifier that the
// service may not act for. It calls record before a service reads, except for an export, which
// is recorded as such, and returns its error. route is the method and the path of the route.
func (a *Authenticator) ForUser(record func(ctx context.Context, user Principal, route string) error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			who := Caller(c)
			user, err := a.actFor(who, r.URL.EscapedPath())
			if err != nil {
				challenge(c, err)
				return err
			}
			ctx := With(r.Context(), user)
			c.SetRequest(r.WithContext(ctx))
			if r.Method == http.MethodGet && user.Scopes.Has(ScopePortfoliosRead) && !strings.HasSuffix(c.Path(), "/export") {
				if err := record(ctx, *user, r.Method+" "+c.Path()); err != nil {
					return err
				}
			}
			return next(c)
		}
	}
}

// RecordOwnReads returns the middleware of routes where users read their own data: limit, and
// then record, unless a service makes the call, which ForUser records. An error of record is
// returned.
func RecordOwnReads(limit echo.MiddlewareFunc, record func(ctx context.Context, user Principal, route string) error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return limit(func(c echo.Context) error {
			r := c.Request()
			if who := From(r.Context()); who.Actor == "" {
				if err := record(r.Context(), who, r.Method+" "+c.Path()); err != nil {
					return err
				}
			}
			return next(c)
		})
	}
}

// RefuseBlocked refuses requests of callers for which blocked returns an error; with
// servicesOnly, those of services. It must run after Middleware.
func RefuseBlocked(blocked func(subject string) error, servicesOnly bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if who := Caller(c); who.Subject != "" && (!servicesOnly || who.Scopes != 0) {
				if err := blocked(who.Subject); err != nil {
					return err
				}
			}
			return next(c)
		}
	}
}

// RefuseSubject refuses requests with a query parameter "subject": they are meant to be made
// for another user, and would be made for the caller instead.
func RefuseSubject(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if u := c.Request().URL; u.RawQuery != "" && u.Query().Has("subject") {
			return httpapi.ErrQuery.Withf("This call takes no parameter subject. A service makes it for a user at %s.", userPath(c.Path()))
		}
		return next(c)
	}
}
