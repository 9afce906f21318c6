package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
)

// checkTimeout bounds each check of /readyz.
const checkTimeout = 2 * time.Second

// Check is one thing without which the service is not ready. What Ready returns is
// shown to whoever asks, by Reason.
type Check struct {
	Name  string
	Ready func(ctx context.Context) error
}

type health struct {
	checks   []Check
	log      *slog.Logger
	stopping atomic.Bool
}

type unready struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// alive says that the process answers, whatever it depends on.
func (h *health) alive(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// ready says whether requests should be sent here, and if not, why.
func (h *health) ready(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if missing := h.missing(c.Request().Context()); len(missing) > 0 {
		return c.JSON(http.StatusServiceUnavailable, map[string]any{"status": "not ready", "not_ready": missing})
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}

func (h *health) missing(ctx context.Context) []unready {
	if h.stopping.Load() {
		return []unready{{Name: "server", Reason: "The server is stopping."}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(h.checks))
	var all sync.WaitGroup
	for i, check := range h.checks {
		all.Go(func() { errs[i] = check.Ready(ctx) })
	}
	all.Wait()
	var list []unready
	for i, err := range errs {
		if err == nil {
			continue
		}
		h.log.WarnContext(ctx, "not ready", "name", h.checks[i].Name, "error", err)
		list = append(list, unready{Name: h.checks[i].Name, Reason: Reason(err)})
	}
	return list
}

// Reason returns what may be told to anybody of why something is not well: a fault's
// detail, or the text of another error.
func Reason(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Detail
	}
	return err.Error()
}
