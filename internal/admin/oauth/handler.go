package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// Handler serves POST /oauth/revoke and POST /oauth/introspect for services and admins.
// Tokens is required.
type Handler struct {
	Tokens *Service
	Limit  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must be /oauth behind authentication.
func (h *Handler) Mount(g *echo.Group) {
	private := auth.Private(auth.RoleService|auth.RoleAdmin, h.Limit)
	g.POST("/revoke", h.revoke, private...)
	g.POST("/introspect", h.introspect, private...)
}

func (h *Handler) revoke(c echo.Context) error {
	value, err := readToken(c.Response(), c.Request())
	if err != nil {
		return err
	}
	if err := h.Tokens.Revoke(c.Request().Context(), auth.Caller(c), value); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

func (h *Handler) introspect(c echo.Context) error {
	value, err := readToken(c.Response(), c.Request())
	if err != nil {
		return err
	}
	state, err := h.Tokens.Introspect(c.Request().Context(), auth.Caller(c), value)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, state)
}
