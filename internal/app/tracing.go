package app

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/id"
	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
)

// lastTraces bounds how long the end of the program waits for a collector that is slow.
const lastTraces = 5 * time.Second

// newTracer returns what sends traces, nil if they are off. Check has found c valid.
func newTracer(c config.Tracing, log *slog.Logger, metrics *telemetry.Metrics) *tracing.Tracer {
	endpoint := c.URL()
	if endpoint == nil {
		return nil
	}
	header, _, _ := c.Header()
	sample, _ := c.Share()
	return tracing.New(tracing.Options{
		Endpoint: endpoint, Header: header, Sample: sample,
		Version: BuildInfo().Version, Instance: id.New("in"), Log: log, Count: metrics.CountSpans(),
	})
}

// closeTracer sends the last spans, when all else is closed.
func (a *App) closeTracer() {
	ctx, cancel := context.WithTimeout(context.Background(), min(a.settings.Server.DrainTimeout, lastTraces))
	defer cancel()
	a.tracer.Close(ctx)
}
