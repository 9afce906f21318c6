package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"casbroker/internal/apikey"
	"casbroker/internal/cache"
	"casbroker/internal/config"
	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
	"casbroker/internal/netaddr"
	"casbroker/internal/portfolio"
	"casbroker/internal/statement"
	"casbroker/internal/store"
	"casbroker/internal/telemetry"
	"casbroker/internal/upstream"
)

// lastRunsEvery is how often a replica reads when tasks were last done by any replica.
const lastRunsEvery = 30 * time.Second

// The tasks whose last success is a metric.
const (
	taskRetention = "retention"
	taskBackup    = "backup"
)

// serveMetrics returns what the listener of the metrics serves.
func (a *App) serveMetrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	if !a.settings.Metrics.Pprof {
		return mux
	}
	if address := a.settings.Server.MetricsAddress; !netaddr.IsLoopback(address) {
		a.log.Warn("metrics.pprof: profiles, which may contain data of users, are served without authentication to all who can reach server.metrics_address",
			"address", address)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// metricsWrite returns the time limit of an answer of the listener of the metrics.
func metricsWrite(c config.Metrics) time.Duration {
	if c.Pprof {
		return profileTimeout
	}
	return metricsTimeout
}

// watchDependencies publishes the state of what the broker depends on.
func watchDependencies(metrics *telemetry.Metrics, c config.Config, db *store.DB, shared cache.Cache, vendor *upstream.Client, keys *apikey.Pool) {
	metrics.WatchConnections(func() map[string]telemetry.Connections {
		pools := map[string]telemetry.Connections{}
		for name, s := range db.PoolStats() {
			pools[name] = telemetry.Connections{InUse: s.InUse, Idle: s.Idle, Limit: s.MaxOpenConnections, Waits: s.WaitCount, Waited: s.WaitDuration}
		}
		return pools
	})
	if f, ok := shared.(*cache.Fallback); ok {
		metrics.WatchRedis(func() telemetry.RedisConnections {
			s := f.PoolStats()
			return telemetry.RedisConnections{InUse: int(s.TotalConns) - int(s.IdleConns), Idle: int(s.IdleConns), Timeouts: uint64(s.Timeouts)}
		})
	}
	metrics.WatchBreaker([]string{string(upstream.Closed), string(upstream.Open), string(upstream.HalfOpen)},
		func() string { return string(vendor.State().Breaker) })
	if c.Upstream.OnPremise() {
		return
	}
	metrics.WatchKeys(func() (list []telemetry.KeyCredits) {
		for _, k := range keys.Status() {
			if k.Limit > 0 {
				list = append(list, telemetry.KeyCredits{Name: k.Name, Remaining: k.Remaining, Limit: k.Limit})
			}
		}
		return list
	}, keys.Waiting)
}

// watchAnswers publishes the cache of answers to reads.
func watchAnswers(metrics *telemetry.Metrics, h *portfolio.Handler) {
	metrics.WatchAnswers(func() (hits, misses uint64, bytes int) {
		s := h.AnswerStats()
		return s.Hits, s.Misses, s.Bytes
	})
}

// countSaves returns a function that counts statements that were saved.
func countSaves(metrics *telemetry.Metrics) func(*statement.Statement, bool) {
	return func(st *statement.Statement, created bool) {
		codes := make([]string, len(st.Warnings))
		for i, w := range st.Warnings {
			codes[i] = w.Code
		}
		metrics.CountSave(created, len(st.Holdings)+len(st.Transactions), codes)
	}
}

// countErrors returns a function that counts error answers.
func countErrors(metrics *telemetry.Metrics) func(err error) {
	return func(err error) {
		p, reason := httpapi.ProblemOf(err), ""
		if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind != fault.Internal {
			reason = f.Reason
		}
		metrics.CountError(strconv.Itoa(p.Status), p.Code, reason)
	}
}

// newMetrics returns the metrics of a broker that logs to logTo.
func newMetrics(c config.Metrics, logTo io.Writer, build Build) *telemetry.Metrics {
	metrics := telemetry.NewMetrics(telemetry.MetricsOptions{NativeHistograms: c.NativeHistograms})
	metrics.WatchLog(linesLost(logTo))
	metrics.SetBuildInfo(build.Version, build.Commit, build.GoVersion)
	return metrics
}

// linesLost returns a function that tells how many lines of the log were lost, 0 if to cannot tell.
func linesLost(to io.Writer) func() uint64 {
	if lines, ok := to.(*telemetry.LineWriter); ok {
		return lines.Lost
	}
	return func() uint64 { return 0 }
}

// metricJobs returns the jobs that keep metrics up to date.
func metricJobs(c config.Retention, metrics *telemetry.Metrics, db *store.DB) []job {
	tasks := []string{taskBackup}
	if c != (config.Retention{}) { // else nothing is ever deleted
		tasks = append(tasks, taskRetention)
	}
	return []job{{name: "read when tasks were last done", every: lastRunsEvery, atStart: true, do: func(ctx context.Context) error {
		for _, task := range tasks {
			at, err := db.LastDone(ctx, task)
			if err != nil {
				return err
			}
			metrics.SetLastSuccess(task, at)
		}
		return nil
	}}}
}

// recordDone returns a function that records that a task was done. A failure costs only what the other
// replicas say in their metrics.
func recordDone(db *store.DB, metrics *telemetry.Metrics, task string, now func() time.Time, log *slog.Logger) func(context.Context) {
	return func(ctx context.Context) {
		at := now()
		metrics.SetLastSuccess(task, at)
		if err := db.RecordDone(ctx, task, at); err != nil {
			log.WarnContext(ctx, "that a task was done is not recorded, so an alert may say that it was not", "task", task, "error", err)
		}
	}
}
