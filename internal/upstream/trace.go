package upstream

import (
	"context"

	"casbroker/internal/tracing"
)

// startSpan starts the span of an attempt.
func startSpan(ctx context.Context, req request) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, "vendor", tracing.Client)
	if span != nil {
		span.Rename("vendor " + req.method + " " + req.path)
		span.Text("http.request.method", req.method)
	}
	return ctx, span
}

// endSpan ends the span of an attempt with what became of it.
func endSpan(span *tracing.Span, res response, outcome string) {
	if res.status != 0 {
		span.Number("http.response.status_code", res.status)
	}
	span.Text("casbroker.outcome", outcome)
	if outcome != outcomeOK {
		span.Fail()
	}
	span.End()
}
