package cache

import (
	"context"

	"casbroker/internal/tracing"
)

// startSpan starts the span of a command of Redis. One in memory takes no time that matters.
func startSpan(ctx context.Context, name string) (context.Context, *tracing.Span) {
	ctx, span := tracing.Start(ctx, name, tracing.Client)
	span.Text("db.system.name", "redis")
	return ctx, span
}
