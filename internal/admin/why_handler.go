package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

func (h *Handler) why(c echo.Context, _ *httpapi.Params) error {
	e, err := h.Service.Why(c.Request().Context(), param(c, "id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, e)
}
