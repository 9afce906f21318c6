package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/fault"
)

// checkTimeout bounds the checks of one /readyz request.
const checkTimeout = 2 * time.Second

// Check is one dependency that /readyz asks. Ready returns nil, or why the dependency
// cannot be used; callers see that error as Reason returns it. Degrades reports whether
// requests should still be sent in spite of that error; nil means that they should not.
type Check struct {
	Name     string
	Ready    func(ctx context.Context) error
	Degrades func(err error) bool
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
	degraded atomic.Value // the names of the parts that the last probe found degraded, as a string
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

// readiness is the body of an answer of /readyz.
type readiness struct {
	Status   string        `json:"status"`
	NotReady []failedCheck `json:"not_ready,omitempty"`
	Degraded []failedCheck `json:"degraded,omitempty"`
}

// ready answers /readyz: 200 if requests should be sent to this replica, with the checks
// that failed in spite of that, else 503 with those that stop it.
func (h *health) ready(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	failed, degraded := h.failedChecks(c.Request().Context())
	if len(failed) > 0 {
		return c.JSON(http.StatusServiceUnavailable, readiness{Status: "not ready", NotReady: failed, Degraded: degraded})
	}
	return c.JSON(http.StatusOK, readiness{Status: "ready", Degraded: degraded})
}

// failedChecks runs all checks at the same time and returns those that failed: those that
// stop requests, and the others.
func (h *health) failedChecks(ctx context.Context) (failed, degraded []failedCheck) {
	if h.stopping.Load() {
		return []failedCheck{{Name: "server", Reason: "The server is stopping."}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(h.checks))
	var all sync.WaitGroup
	for i, check := range h.checks {
		all.Go(func() { errs[i] = check.Ready(ctx) })
	}
	all.Wait()
	for i, err := range errs {
		check := h.checks[i]
		switch {
		case err == nil:
		case check.Degrades != nil && check.Degrades(err):
			degraded = append(degraded, failedCheck{Name: check.Name, Reason: Reason(err)})
		default:
			h.log.WarnContext(ctx, "not ready", "name", check.Name, "error", err)
			failed = append(failed, failedCheck{Name: check.Name, Reason: Reason(err)})
		}
	}
	h.logDegraded(ctx, degraded)
	return failed, degraded
}

// logDegraded logs which parts are degraded, if they are not those of the last probe.
func (h *health) logDegraded(ctx context.Context, parts []failedCheck) {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name
	}
	list := strings.Join(names, ", ")
	before, _ := h.degraded.Swap(list).(string)
	switch list {
	case before:
	case "":
		h.log.InfoContext(ctx, "no part is degraded any more", "before", before)
	default:
		h.log.WarnContext(ctx, "degraded, and serving what can be served", "parts", list)
	}
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
