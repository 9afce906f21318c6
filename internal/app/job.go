package app

import (
	"context"
	"log/slog"
	"time"

	"casbroker/internal/telemetry"
	"casbroker/internal/tracing"
)

// How often the jobs run.
const (
	recordsEvery = 2 * time.Second // the longest delay of the audit records of reuses and refusals
	countsEvery  = 5 * time.Second // the longest delay of usage counts
	// capturesEvery is how often statements that the gateway saw are tried again that could
	// not be saved at once.
	capturesEvery = 10 * time.Second
	settleEvery   = 10 * time.Second // how often calls are settled whose start or end was not recorded
	// compareEvery is how often a replica checks whether the daily comparison with the
	// vendor's usage is due.
	compareEvery = 10 * time.Minute
	// convertEvery is how often a replica checks whether there are portfolios to convert.
	convertEvery   = time.Minute
	checkFileEvery = time.Minute
	sweepEvery     = 10 * time.Minute
	purgeEvery     = 10 * time.Minute
	expireEvery    = time.Hour // how often a replica checks whether the daily deletion is due
)

// keysEvery is how often files with secrets are read again. Tests have less patience.
var keysEvery = 3 * time.Second

// finalRunTimeout bounds the last run of an uninterrupted job.
const finalRunTimeout = 10 * time.Second

// job is work that is repeated in the background.
type job struct {
	name    string
	every   time.Duration
	atStart bool // run at the start too, not only after the first interval
	endless bool // do goes on until ctx ends, unless it fails
	do      func(ctx context.Context) error
}

// traced wraps do so that each run is a trace of its own.
func (j job) traced(tracer *tracing.Tracer) job {
	if tracer == nil || j.endless { // all that an endless run does would be in one trace
		return j
	}
	do := j.do
	j.do = func(ctx context.Context) error {
		ctx, span := tracer.Start(ctx, "job "+j.name, tracing.Internal)
		defer span.End()
		err := do(ctx)
		span.FailIf(err)
		return err
	}
	return j
}

// run repeats the job until ctx ends. A failed run is logged; the next one is on schedule.
func (j job) run(ctx context.Context, log *slog.Logger, metrics *telemetry.Metrics) {
	if j.atStart {
		j.runOnce(ctx, log, metrics)
	}
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			j.runOnce(ctx, log, metrics)
		}
	}
}

func (j job) runOnce(ctx context.Context, log *slog.Logger, metrics *telemetry.Metrics) {
	start := time.Now()
	err := j.do(ctx)
	if err == nil || ctx.Err() == nil {
		metrics.ObserveJob(j.name, time.Now(), time.Since(start), err)
	}
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "job failed", "job", j.name, "error", err)
	}
}

// uninterrupted wraps do so that shutdown lets a run finish, within finalRunTimeout.
func uninterrupted(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalRunTimeout)
		defer cancel()
		return do(ctx)
	}
}

// withoutCount is do without the number that it returns.
func withoutCount[T any](do func(context.Context) (T, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := do(ctx)
		return err
	}
}
