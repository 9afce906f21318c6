package gateway

import (
	"context"
	"net/http"

	"casbroker/internal/tracing"
)

// startSpan starts the span of a call to the vendor. route is the pattern of its path, "" if it
// is a call that the gateway makes itself.
func (x *exchange) startSpan(ctx context.Context, method, route string) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, "vendor", tracing.Client)
	if span != nil {
		name := "vendor " + method
		if route != "" {
			name += " " + route
		}
		span.Rename(name)
		span.Text("http.request.method", method)
		span.Text("casbroker.feature", x.feature)
	}
	return ctx, span
}

// answeredSpan notes the vendor's answer.
func answeredSpan(span *tracing.Span, res *http.Response) {
	span.Number("http.response.status_code", res.StatusCode)
	if res.StatusCode >= http.StatusInternalServerError {
		span.Fail()
	}
}

// injectTrace sends the ids of the trace to the vendor, if it is to get them.
func (x *exchange) injectTrace(ctx context.Context, header http.Header) {
	if x.Vendor.SendTrace {
		tracing.Inject(ctx, header)
	}
}
