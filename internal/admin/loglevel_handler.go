package admin

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/httpapi"
)

// logLevelView is a LogLevel, and where it was set.
type logLevelView struct {
	LogLevel
	Replicas Reach `json:"replicas,omitempty"` // "" if nothing was set
}

func (h *Handler) logLevel(c echo.Context, _ *httpapi.Params) error {
	return c.JSON(http.StatusOK, logLevelView{h.Service.Levels.LogLevel(), ""})
}

func (h *Handler) setLogLevel(c echo.Context, _ *httpapi.Params) error {
	level, until, err := readLogLevel(c.Response(), c.Request())
	if err != nil {
		return err
	}
	return h.answerLogLevel(c, level, until)
}

func (h *Handler) resetLogLevel(c echo.Context, _ *httpapi.Params) error {
	if err := readEmpty(c.Response(), c.Request()); err != nil {
		return err
	}
	return h.answerLogLevel(c, "", time.Time{})
}

func (h *Handler) answerLogLevel(c echo.Context, level string, until time.Time) error {
	state, reach, err := h.Service.SetLogLevel(c.Request().Context(), level, until)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, logLevelView{state, reach})
}
