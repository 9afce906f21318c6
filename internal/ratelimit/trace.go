package ratelimit

import (
	"context"

	"github.com/ulule/limiter/v3"

	"casbroker/internal/tracing"
)

// take is Take of the Counter, as a span.
func (l *Limiter) take(ctx context.Context, hits []Hit, fetch TokenKey) ([]limiter.Context, []byte, error) {
	ctx, span := tracing.Start(ctx, "limiter", tracing.Internal)
	states, token, err := l.Counter.Take(ctx, hits, fetch)
	if span != nil {
		span.Number("casbroker.limits", len(hits))
		if fetch != (TokenKey{}) {
			span.Text("casbroker.cached_token", found(token))
		}
		span.FailIf(err)
		span.End()
	}
	return states, token, err
}

func found(token []byte) string {
	if token == nil {
		return "miss"
	}
	return "hit"
}
