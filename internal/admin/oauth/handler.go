package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/token"
)

// Handler serves POST /oauth/revoke and POST /oauth/introspect for services and admins.
// Tokens is required.
type Handler struct {
	Tokens *Service
	Limit  echo.MiddlewareFunc // nil for no limit
	// Authenticate are the middleware that authenticate callers; nil if they are before g.
	Authenticate []echo.MiddlewareFunc
}

// Mount adds the routes to g, which must be /oauth.
func (h *Handler) Mount(g *echo.Group) {
	private := append([]echo.MiddlewareFunc{httpapi.InDialect(httpapi.OAuth)}, h.Authenticate...)
	private = append(private, auth.Private(auth.RoleService|auth.RoleAdmin, h.Limit)...)
	g.POST("/revoke", h.revoke, private...)
	g.POST("/introspect", h.introspect, private...)
}

func (h *Handler) revoke(c echo.Context) error {
	value, err := readToken(c)
	if err != nil {
		return err
	}
	if err := h.Tokens.Revoke(c.Request().Context(), auth.Caller(c), value); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

func (h *Handler) introspect(c echo.Context) error {
	value, err := readToken(c)
	if err != nil {
		return err
	}
	state, err := h.Tokens.Introspect(c.Request().Context(), auth.Caller(c), value)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, state)
}

// Authenticator verifies the JWTs of users and services.
type Authenticator interface {
	// Authenticate returns the caller that a JWT names.
	Authenticate(ctx context.Context, jwt string) (*auth.Principal, error)
	// ByBearer returns the caller that the header Authorization names, nil without one.
	ByBearer(r *http.Request) (*auth.Principal, error)
	// ActFor returns the user subject with a service as its Actor, or why it may not be that.
	ActFor(service auth.Principal, subject string) (*auth.Principal, error)
}

// ExchangeHandler serves POST /oauth/token, where a user's JWT is exchanged for an access
// token (RFC 8693). All fields but LimitFailures are required.
type ExchangeHandler struct {
	Tokens *token.Handler // issues them, as for POST /v1/token
	Auth   Authenticator
	// Blocked returns an error for a service that is blocked.
	Blocked func(subject string) error
	// LimitFailures limit requests with tokens that are not valid; nil for no limit.
	LimitFailures []echo.MiddlewareFunc
	Now           func() time.Time
}

// Mount adds the route to g, which must be /oauth. It needs no authentication before it, and
// takes no cookie.
func (h *ExchangeHandler) Mount(g *echo.Group) {
	g.POST("/token", h.exchange, append([]echo.MiddlewareFunc{httpapi.InDialect(httpapi.OAuthToken)}, h.LimitFailures...)...)
}

func (h *ExchangeHandler) exchange(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
	form, err := readForm(c.Response(), c.Request(), errExchange)
	if err != nil {
		return err
	}
	req, err := readExchange(form)
	if err != nil {
		return err
	}
	if err := h.authenticate(c, req); err != nil {
		return err
	}
	t, err := h.Tokens.Obtain(c, req.params)
	if err != nil {
		return err
	}
	answer := exchanged{
		AccessToken: t.Value.Reveal(), IssuedTokenType: typeAccessToken, TokenType: bearerMethod,
		ExpiresIn: int64(max(t.ExpiresAt.Sub(h.Now()), 0) / time.Second), GrantID: t.GrantID, Mode: t.Mode,
	}
	if t.Mode == token.ModeGateway {
		answer.Scope, answer.APIBaseURL = strings.Join(t.Features.Names(), " "), h.Tokens.GatewayURL(c.Request().Host)
	}
	return c.JSON(http.StatusOK, answer)
}

// authenticate makes the user that the subject token names the caller of the request. A
// client that authenticates itself must be the same user or a service.
func (h *ExchangeHandler) authenticate(c echo.Context, req exchangeRequest) error {
	r := c.Request()
	if hasSecret(r.Header) {
		return h.refuseClient(c, errClientMethod)
	}
	client, err := h.Auth.ByBearer(r)
	if f, ok := errors.AsType[*fault.Fault](err); ok && (f.Kind == fault.Unauthenticated || f.Kind == fault.Invalid) {
		return h.refuseClient(c, errClient.Withf("The client's own token: %s", f.Detail).Because(err))
	}
	if err != nil {
		return err
	}
	user, err := h.Auth.Authenticate(r.Context(), req.subject.Reveal())
	if err != nil {
		return err
	}
	if user, err = h.onBehalf(user, client); err != nil {
		return err
	}
	c.SetRequest(r.WithContext(auth.With(r.Context(), user)))
	return nil
}

// onBehalf returns user with client as the service that acts for them, or without one if
// client is nil.
func (h *ExchangeHandler) onBehalf(user, client *auth.Principal) (*auth.Principal, error) {
	switch {
	case !user.Has(auth.RoleUser):
		return nil, auth.ErrForbidden.Withf("The subject of subject_token lacks the role user.")
	case client == nil || client.Subject == user.Subject:
		return user, nil
	case client.Scopes == 0:
		return nil, errOtherUser
	case !client.Scopes.Has(auth.ScopeTokenWrite):
		return nil, errService
	}
	if err := h.Blocked(client.Subject); err != nil {
		return nil, err
	}
	acting, err := h.Auth.ActFor(*client, user.Subject)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Forbidden {
		return nil, errService.Withf("%s", f.Detail).Because(err)
	}
	return acting, err
}

// refuseClient returns err, with the challenge that RFC 6749, section 5.2, asks for.
func (h *ExchangeHandler) refuseClient(c echo.Context, err error) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, auth.Challenge)
	return err
}

// MetadataHandler serves /.well-known/oauth-authorization-server (RFC 8414). Pages may read
// it as they may read the broker's other answers: it has nothing that is secret. URL is
// required.
type MetadataHandler struct {
	// URL returns the broker's URL for a request to host, "" if it is not known.
	URL func(host string) string
	// Below is the path of that URL, which RFC 8414 puts behind the well-known one.
	Below  string
	Scopes []string // that gateway tokens may have; nil without gateway tokens
	// NoTokens is set if POST /oauth/token gives none.
	NoTokens bool
}

// Mount adds the routes to g, which must be at the root.
func (h *MetadataHandler) Mount(g *echo.Group) {
	const path = "/.well-known/oauth-authorization-server"
	g.GET(path, h.describe)
	if h.Below != "" {
		g.GET(path+h.Below, h.describe)
	}
}

func (h *MetadataHandler) describe(c echo.Context) error {
	issuer := h.URL(c.Request().Host)
	if issuer == "" {
		return errNoMetadata
	}
	c.Response().Header().Set("Cache-Control", "max-age=300")
	return c.JSON(http.StatusOK, describe(issuer, h.Scopes, !h.NoTokens))
}
