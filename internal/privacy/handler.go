package privacy

import (
	"context"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// Handler serves the routes with which users export and erase their data. Privacy is
// required.
type Handler struct {
	Privacy     *Service
	LimitExport echo.MiddlewareFunc // nil for no limit
	LimitErase  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, which must authenticate callers.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/me/export", h.export, auth.Private(auth.RoleUser, h.LimitExport)...)
	g.DELETE("/me", h.erase, auth.Private(auth.RoleUser, h.LimitErase)...)
}

// export streams all data of the caller as a file.
func (h *Handler) export(c echo.Context) error {
	file := httpapi.Download{Name: "casbroker-export.json", Type: echo.MIMEApplicationJSON, Log: h.Privacy.Log}
	return file.Send(c.Request().Context(), c.Response(), func(ctx context.Context, w io.Writer) error {
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
