package server

import (
	"cmp"
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

// checkTimeout bounds the checks of one /readyz request.
const checkTimeout = 2 * time.Second

// Check is one dependency that /readyz asks. Ready returns nil, or why the dependency
// cannot be used; callers see that error as Reason returns it.
type Check struct {
	Name  string
	Ready func(ctx context.Context) error
}

// The paths of probes.
const (
	alivePath = "/healthz"
	readyPath = "/readyz"
)

func isProbe(path string) bool { return path == alivePath || path == readyPath }

type health struct {
	checks   []Check
	log      *slog.Logger
	stopping atomic.Bool
}

// failedCheck is a check as /readyz reports it.
type failedCheck struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// alive answers /healthz: always 200, whatever the state of the dependencies.
func (h *health) alive(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers /readyz: 200 if requests may be sent to this replica, else 503 with
// the checks that failed.
func (h *health) ready(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if failed := h.failedChecks(c.Request().Context()); len(failed) > 0 {
		return c.JSON(http.StatusServiceUnavailable, map[string]any{"status": "not ready", "not_ready": failed})
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}

// failedChecks runs all checks at the same time and returns those that failed.
func (h *health) failedChecks(ctx context.Context) []failedCheck {
	if h.stopping.Load() {
		return []failedCheck{{Name: "server", Reason: "The server is stopping."}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(h.checks))
	var all sync.WaitGroup
	for i, check := range h.checks {
		all.Go(func() { errs[i] = check.Ready(ctx) })
	}
	all.Wait()
	var list []failedCheck
	for i, err := range errs {
		if err == nil {
			continue
		}
		h.log.WarnContext(ctx, "not ready", "name", h.checks[i].Name, "error", err)
		list = append(list, failedCheck{Name: h.checks[i].Name, Reason: Reason(err)})
	}
	return list
}

// Reason returns what an operator reads about err on /readyz and in the console: the note
// of a fault, or else its detail, or the whole text of another error.
func Reason(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return cmp.Or(f.Note, f.Detail)
	}
	return err.Error()
}
