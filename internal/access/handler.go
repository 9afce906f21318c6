package access

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

// maxBody is more than any request to sign out needs, in bytes.
const maxBody = 1 << 10

// Handler serves POST /v1/token/revoke, by which users end their own tokens. Access
// is required.
type Handler struct {
	Access *Service
	Limit  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the route to g, behind which the caller is known.
func (h *Handler) Mount(g *echo.Group) {
	through := []echo.MiddlewareFunc{auth.Require(auth.RoleUser)}
	if h.Limit != nil {
		through = append(through, h.Limit)
	}
	g.POST("/token/revoke", h.signOut, through...)
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

// readGrant returns the id of the grant that is to end, "" for all.
func readGrant(c echo.Context) (string, error) {
	r := c.Request()
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return "", err
	case err != nil:
		return "", errBody.Because(err)
	case len(body) == 0:
		return "", nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || media != echo.MIMEApplicationJSON {
		return "", errMediaType
	}
	var req struct {
		GrantID *string `json:"grant_id"`
	}
	err = json.Unmarshal(body, &req, json.RejectUnknownMembers(true))
	switch {
	case err != nil || string(body) == "null":
		return "", errBody.Because(err)
	case req.GrantID == nil:
		return "", nil
	case *req.GrantID == "":
		return "", ErrNoGrant
	}
	return *req.GrantID, nil
}
