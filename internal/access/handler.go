package access

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// bodyRules limits request bodies; 1 KiB is more than any valid request needs.
var bodyRules = httpapi.BodyRules{MaxBytes: 1 << 10, Example: `{"grant_id": "gr_…"}`}

// Handler serves POST /v1/token/revoke, where users revoke their own tokens. Access is
// required.
type Handler struct {
	Access *Service
	Limit  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the route to g, which must authenticate.
func (h *Handler) Mount(g *echo.Group) {
	middleware := []echo.MiddlewareFunc{auth.RequireUser(auth.ScopeTokenWrite)}
	if h.Limit != nil {
		middleware = append(middleware, h.Limit)
	}
	g.POST("/token/revoke", h.signOut, middleware...)
}

func (h *Handler) signOut(c echo.Context) error {
	grantID, err := readGrant(c)
	if err != nil {
		return err
	}
	r, err := h.Access.SignOut(c.Request().Context(), auth.Caller(c), grantID)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, r)
}

// readGrant returns the id of the grant to revoke, "" for all.
func readGrant(c echo.Context) (string, error) {
	req, err := httpapi.ReadBody[struct {
		GrantID *string `json:"grant_id"`
	}](c.Response(), c.Request(), bodyRules)
	switch {
	case err != nil:
		return "", err
	case req.GrantID == nil:
		return "", nil
	case *req.GrantID == "":
		return "", ErrNoGrant
	}
	return *req.GrantID, nil
}
