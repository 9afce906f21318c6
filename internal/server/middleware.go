package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
)

// headerRequestID is httpapi.HeaderRequestID as it is in a Header: the latter makes a copy of other
// forms at each use.
var headerRequestID = http.CanonicalHeaderKey(httpapi.HeaderRequestID)

// requestContext puts the request id and the source of the request (address, user
// agent) into its context. The caller's own X-Request-ID is used if it is valid.
func requestContext(f *forwarded) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			id := r.Header.Get(headerRequestID)
			if !telemetry.ValidRequestID(id) {
				id = telemetry.NewRequestID()
			}
			c.Response().Header().Set(headerRequestID, id)
			ctx := telemetry.WithRequestID(r.Context(), id)
			address, ignored := f.address(r)
			if ignored != "" {
				f.report(ctx, ignored, r.RemoteAddr)
			}
			ctx = audit.WithSource(ctx, audit.Source{RequestID: id, Address: address, UserAgent: r.UserAgent()}, callerOf)
			c.SetRequest(r.WithContext(auth.Reserve(ctx)))
			return next(c)
		}
	}
}

// callerOf is the audit.FindCaller of all requests. It hides what the log would hide of the
// user agent, which holds whatever the caller put there.
func callerOf(ctx context.Context, s *audit.Source) audit.Caller {
	s.UserAgent = telemetry.Scrub(s.UserAgent)
	who := auth.From(ctx)
	return audit.Caller{Role: auth.RoleOf(ctx), Service: who.Actor, User: who.Subject}
}

// statusClientClosed is logged for a request without a complete answer, because the
// client disconnected or the handler aborted. nginx uses the same number.
const statusClientClosed = 499

// observe logs each request once it is answered or aborted, and reports it to
// o.Observer and, if it was refused, to o.OnRefused.
func observe(o Options) echo.MiddlewareFunc {
	o.seen = new(atomic.Uint64)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			returned := false
			defer func() {
				if !returned { // next panicked with http.ErrAbortHandler; the panic continues after this
					o.reportRequest(c, start, errAborted)
				}
			}()
			err := next(c)
			returned = true
			if err != nil {
				o.reportRefusal(c, err)
				o.reportError(c, err)
				c.Error(err)
			}
			o.reportRequest(c, start, err)
			return nil
		}
	}
}

// errAborted is logged when a handler closed the connection in the middle of an answer.
var errAborted = errors.New("the answer was aborted")

// reportRequest counts and logs a request that began at start and ended with err.
func (o Options) reportRequest(c echo.Context, start time.Time, err error) {
	status, took := c.Response().Status, time.Since(start)
	at := start.Add(took)
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil || errors.Is(err, errAborted) {
		status = statusClientClosed
	}
	if o.Observer != nil {
		o.Observer.ObserveRequest(c.Path(), c.Request().Method, status, took)
	}
	if o.logs(status, took, err) {
		logRequest(c, o.Log, status, at, took, err)
	}
}

// reportError calls o.OnError unless the caller has gone, and gets no answer.
func (o Options) reportError(c echo.Context, err error) {
	if o.OnError != nil && !c.Response().Committed && c.Request().Context().Err() == nil {
		o.OnError(err)
	}
}

// logs reports whether a request has a line in the log.
func (o Options) logs(status int, took time.Duration, err error) bool {
	if o.Sample.Every <= 1 || err != nil || status >= http.StatusBadRequest || took >= o.Sample.Slow {
		return true
	}
	return o.seen.Add(1)%uint64(o.Sample.Every) == 1
}

// maxMethod limits how much of a request's method is reported, in bytes. No route has a
// method as long.
const maxMethod = 10

// reportRefusal calls o.OnRefused if err means that the caller was not authenticated,
// lacks permission, reached a limit or has used up a budget.
func (o Options) reportRefusal(c echo.Context, err error) {
	var f *fault.Fault
	if o.OnRefused == nil || !errors.As(err, &f) {
		return
	}
	switch f.Kind {
	case fault.Unauthenticated, fault.Forbidden, fault.Limited, fault.Exhausted:
		r := c.Request()
		o.OnRefused(r.Context(), auth.Caller(c).Subject, r.Method[:min(len(r.Method), maxMethod)]+" "+c.Path(), f)
	default:
	}
}

// logLevel returns the level of the access log line of a request. Probes come every few
// seconds: the good ones are not of interest, and bad ones are no error of the server's own.
func logLevel(path string, status int) slog.Level {
	switch {
	case isProbe(path) && status < http.StatusBadRequest:
		return slog.LevelDebug
	case isProbe(path):
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// logRequest writes the access log line of a request that ended at a time.
func logRequest(c echo.Context, log *slog.Logger, status int, at time.Time, took time.Duration, err error) {
	route := c.Path()
	if route == "" {
		route = c.Request().URL.Path
	}
	ctx := c.Request().Context()
	source, who := audit.SourceOf(ctx), auth.Caller(c)
	telemetry.LogAccess(ctx, log, logLevel(c.Path(), status), telemetry.Access{
		RequestID: source.RequestID, Method: c.Request().Method, Route: route, Status: status, At: at, Took: took,
		Bytes: c.Response().Size, Address: source.Address, Subject: who.Subject, Actor: who.Actor, Err: err, TraceID: tracing.TraceID(ctx),
	})
}

// The security headers. Pages replace the Content-Security-Policy.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// securityHeaders sets the security headers. Referrer-Policy is about the links of a page, which
// the API has none of: without it, most of its answers have eight headers, and a map of more
// takes three times the memory.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"] = noSniff
		h["Content-Security-Policy"] = noContent
		if !strings.HasPrefix(c.Path(), apiPrefix+"/") {
			h["Referrer-Policy"] = noReferrer
		}
		return next(c)
	}
}

// recoverPanic turns a panic into a 500 answer without details and logs its stack.
func recoverPanic(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				reason := recover()
				if reason == nil {
					return
				}
				if reason == http.ErrAbortHandler { //nolint:errorlint // net/http compares it as a value too
					panic(reason)
				}
				log.ErrorContext(c.Request().Context(), "panic", "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
				err = errPanic
			}()
			return next(c)
		}
	}
}

var errPanic = errors.New("panic; the log record before this one has the stack")
