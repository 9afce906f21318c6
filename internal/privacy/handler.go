package privacy

import (
	"context"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
	"casbroker/internal/spool"
)

// Handler serves the routes with which users export and erase their data. Privacy is
// required. Exports are sent from Spool; nil for none.
type Handler struct {
	Privacy     *Service
	Spool       *spool.Dir
	LimitExport echo.MiddlewareFunc // nil for no limit
	LimitErase  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must authenticate callers.
func (h *Handler) Mount(g *echo.Group) {
	h.mount(g, "/me")
}

// mount adds the routes about a user, whose path is at.
func (h *Handler) mount(g *echo.Group, at string) {
	g.GET(at+"/export", h.export, auth.PrivateUser(auth.ScopePortfoliosRead, h.LimitExport)...)
	g.DELETE(at, h.erase, auth.PrivateUser(auth.ScopeUsersErase, h.LimitErase)...)
}

// UserHandler serves the routes of Handler where the path of the group names the user.
type UserHandler struct{ *Handler }

// Mount adds the routes to g, which must authenticate callers.
func (h UserHandler) Mount(g *echo.Group) { h.mount(g, "") }

// export sends all data of the caller as a file.
func (h *Handler) export(c echo.Context) error {
	end, err := h.Privacy.begin(auth.From(c.Request().Context()).Subject)
	if err != nil {
		return err
	}
	defer end()
	file := httpapi.Download{Name: "casbroker-export.json", Type: echo.MIMEApplicationJSON, Log: h.Privacy.Log, Spool: h.Spool}
	return file.Send(c.Request(), c.Response(), func(ctx context.Context, w io.Writer) error {
		return h.Privacy.Export(ctx, w, auth.From(ctx))
	})
}

// erasedView is the answer to an erasure.
type erasedView struct {
	Erased EraseResult `json:"erased"`
}

func (h *Handler) erase(c echo.Context) error {
	ctx := c.Request().Context()
	erased, err := h.Privacy.Erase(ctx, auth.From(ctx))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, erasedView{erased})
}
