package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/telemetry"
)

// identify gives the request an id, its caller's own if that has the right form,
// and notes where it came from.
func identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := r.Header.Get(httpapi.HeaderRequestID)
		if !telemetry.ValidRequestID(id) {
			id = telemetry.NewRequestID()
		}
		c.Response().Header().Set(httpapi.HeaderRequestID, id)
		ctx := telemetry.WithRequestID(r.Context(), id)
		ctx = audit.WithSource(ctx, audit.Source{RequestID: id, Address: c.RealIP(), UserAgent: r.UserAgent()}, auth.RoleOf)
		c.SetRequest(r.WithContext(auth.Reserve(ctx)))
		return next(c)
	}
}

// statusGone is what is logged when there was no whole answer, since the caller left or
// it could not be finished, by the custom of web servers.
const statusGone = 499

// observe logs one line for every request, when it is answered or broken off, and tells
// those who want to know of it.
func observe(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			whole := false
			defer func() {
				if !whole { // a panic goes on from here
					o.tell(c, start, errBrokenOff)
				}
			}()
			err := next(c)
			whole = true
			if err != nil {
				o.refused(c, err)
				c.Error(err)
			}
			o.tell(c, start, err)
			return nil
		}
	}
}

// errBrokenOff: the connection was cut in the middle of an answer.
var errBrokenOff = errors.New("the answer was broken off")

// tell tells of a request that began at start and ended with err.
func (o Options) tell(c echo.Context, start time.Time, err error) {
	status, took := c.Response().Status, time.Since(start)
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil || errors.Is(err, errBrokenOff) {
		status = statusGone
	}
	if o.Observer != nil {
		o.Observer.ObserveRequest(c.Path(), c.Request().Method, status, took)
	}
	logRequest(c, o.Log, status, took, err)
}

// maxMethod is more than any method of a route has, in bytes.
const maxMethod = 10

// refused tells of err if it means that the caller may not.
func (o Options) refused(c echo.Context, err error) {
	var f *fault.Fault
	if o.Refused == nil || !errors.As(err, &f) {
		return
	}
	switch f.Kind {
	case fault.Unauthenticated, fault.Forbidden, fault.Limited:
		r := c.Request()
		o.Refused(r.Context(), auth.Caller(c).Subject, r.Method[:min(len(r.Method), maxMethod)]+" "+c.Path(), f.Code)
	default:
	}
}

func logRequest(c echo.Context, log *slog.Logger, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	ctx := c.Request().Context()
	if !log.Enabled(ctx, level) {
		return
	}
	route := c.Path()
	if route == "" {
		route = c.Request().URL.Path
	}
	source := audit.SourceOf(ctx)
	attrs := append(make([]slog.Attr, 0, 10),
		slog.String("request_id", source.RequestID), // or the logger would add it, and make room for that
		slog.String("method", c.Request().Method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("took_us", took.Microseconds()),
		slog.Int64("bytes", c.Response().Size),
		slog.String("address", source.Address),
	)
	if who := auth.Caller(c); who.Subject != "" {
		attrs = append(attrs, slog.String("subject", who.Subject))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

// The headers that every answer bears. A page sets a wider policy of its own.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// protect sets the security headers.
func protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = noReferrer
		h["Content-Security-Policy"] = noContent
		return next(c)
	}
}

// survive turns a panic into a bare 500 and a log line with the stack.
func survive(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				what := recover()
				if what == nil {
					return
				}
				if what == http.ErrAbortHandler { //nolint:errorlint // a value, by net/http's convention
					panic(what)
				}
				log.ErrorContext(c.Request().Context(), "panic", "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
				err = errPanic
			}()
			return next(c)
		}
	}
}

var errPanic = errors.New("panic; the record before this one has the stack")
