package server

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/labstack/echo/v4"

	"casbroker/internal/audit"
	"casbroker/internal/netaddr"
	"casbroker/internal/tracing"
)

// trace starts the span of each request but probes. It belongs to the trace of the caller, who
// decides whether that is sent if its address is in o.TrustedCallers.
func trace(o Options) echo.MiddlewareFunc {
	trusted := make([]netip.Prefix, len(o.TrustedCallers))
	for i, p := range o.TrustedCallers {
		trusted[i] = netaddr.Unmap(p)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if isProbe(c.Path()) {
				return next(c)
			}
			r := c.Request()
			ctx, span := o.Tracer.Continue(r.Context(), traceparent(r.Header), trustsCaller(trusted, audit.SourceOf(r.Context()).Address))
			defer func() { // also of an answer that is aborted, with a panic
				describe(span, c)
				span.End()
			}()
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
	}
}

// traceparent returns the header of that name, "" if there is none or several.
func traceparent(h http.Header) string {
	if list := h[tracing.Header]; len(list) == 1 {
		return list[0]
	}
	return ""
}

func trustsCaller(trusted []netip.Prefix, address string) bool {
	if len(trusted) == 0 {
		return false
	}
	ip, err := netip.ParseAddr(address)
	ip = ip.Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// describe names the span of a request that was answered: by the pattern of its route. The path
// is the caller's word, and so is a method that is not a standard one.
func describe(span *tracing.Span, c echo.Context) {
	method := c.Request().Method
	if !slices.Contains(standardMethods, method) {
		method = "_OTHER"
	}
	name := method
	if route := c.Path(); route != "" {
		name += " " + route
		span.Text("http.route", route)
	}
	span.Rename(name)
	span.Text("http.request.method", method)
	status := c.Response().Status
	span.Number("http.response.status_code", status)
	if status >= http.StatusInternalServerError || !c.Response().Committed {
		span.Fail()
	}
}

// standardMethods are those that the conventions of OpenTelemetry name.
var standardMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace,
}
