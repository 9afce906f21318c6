package privacy

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/auth"
)

const (
	// maxExport bounds one export, however slowly it is read.
	maxExport = 10 * time.Minute
	// maxPause is how long a caller may take to read what is written at once. An
	// export may take longer than the answers of the other routes may.
	maxPause = 30 * time.Second
)

// Handler has the routes by which users export and erase what is kept of them.
// Privacy is required.
type Handler struct {
	Privacy     *Service
	LimitExport echo.MiddlewareFunc // nil for no limit
	LimitErase  echo.MiddlewareFunc // nil for no limit
}

// Mount adds the routes to g, behind which the caller is known.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/me/export", h.export, auth.Private(auth.RoleUser, h.LimitExport)...)
	g.DELETE("/me", h.erase, auth.Private(auth.RoleUser, h.LimitErase)...)
}

// export answers with everything, written as it is read. When that fails after the
// first bytes, the connection is cut: half an export must not pass for a whole one.
func (h *Handler) export(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), maxExport)
	defer cancel()
	res := c.Response()
	res.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	res.Header().Set(echo.HeaderContentDisposition, `attachment; filename="casbroker-export.json"`)
	err := h.Privacy.Export(ctx, patient{res, http.NewResponseController(res)}, auth.From(ctx))
	if err == nil {
		return nil
	}
	if !res.Committed {
		res.Header().Del(echo.HeaderContentDisposition)
		return err
	}
	h.Privacy.Log.WarnContext(ctx, "an export was cut short", "error", err)
	panic(http.ErrAbortHandler)
}

// patient is an answer whose every write may take maxPause.
type patient struct {
	res  http.ResponseWriter
	time *http.ResponseController
}

// Write writes p, or fails when the caller does not read it in time.
func (w patient) Write(p []byte) (int, error) {
	// A writer that has no deadlines does without.
	_ = w.time.SetWriteDeadline(time.Now().Add(maxPause))
	return w.res.Write(p)
}

// erasedView is the answer to an erasure.
type erasedView struct {
	Erased Erased `json:"erased"`
}

func (h *Handler) erase(c echo.Context) error {
	ctx := c.Request().Context()
	erased, err := h.Privacy.Erase(ctx, auth.From(ctx))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, erasedView{erased})
}
