package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"casbroker/internal/admin"
	"casbroker/internal/cache"
	"casbroker/internal/clock"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

// clocksEvery is how often the clock is compared with those of the database and Redis.
const clocksEvery = 10 * time.Second

// newClocks returns the comparison of the clock with others.
func newClocks(now func() time.Time, log *slog.Logger, metrics *telemetry.Metrics) *clock.Comparison {
	return &clock.Comparison{Now: now, Log: log, Observe: metrics.SetClockDifference}
}

// onDate compares the clock with that of an answer of the vendor.
func onDate(clocks *clock.Comparison) func(date, asked time.Time) {
	return func(date, asked time.Time) { clocks.Read(clock.Vendor, date, asked, time.Second) }
}

// compareClocks returns a job that compares the clock with those of the database and Redis,
// and with the vendor's if nothing else does. What does not answer is reported elsewhere.
func compareClocks(clocks *clock.Comparison, db *store.DB, shared cache.Cache, vendor *upstream.Client) func(context.Context) error {
	read := func(ctx context.Context, service string, ask func(context.Context) (time.Time, error)) {
		asked := clocks.Now()
		if theirs, err := ask(ctx); err == nil && !theirs.IsZero() {
			clocks.Read(service, theirs, asked, 0)
		}
	}
	return func(ctx context.Context) error {
		read(ctx, clock.Database, db.Clock)
		if redis, ok := shared.(*cache.Fallback); ok {
			read(ctx, clock.Redis, redis.Time)
		}
		if clocks.AskVendor() {
			_, _ = vendor.Credits(ctx) // costs nothing; the answer has a date
		}
		return nil
	}
}

// clockHealth reports whether the clock is right.
func clockHealth(ctx context.Context, clocks *clock.Comparison) admin.Component {
	p := component("clock", clocks.Ready(ctx))
	var difference *clock.Difference
	if errors.As(clocks.Ready(ctx), &difference) && difference.Warning {
		p.State = admin.Degraded
	}
	return p
}
