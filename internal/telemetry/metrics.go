package telemetry

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "casbroker"

// Metrics has the broker's Prometheus instruments and their registry. No label contains a
// user, an id or a raw path. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *requestSeries
	tokens   *prometheus.CounterVec
	limited  *prometheus.CounterVec
	upstream *prometheus.HistogramVec

	gateway         *prometheus.CounterVec
	gatewayDuration *prometheus.HistogramVec
	captures        *prometheus.CounterVec
	keys            keyMetrics
	clocks          *prometheus.GaugeVec
	budgets         *budgetSeries
	webhooks        *webhookSeries
	work            *workSeries
	mailPolls       *prometheus.CounterVec
	callbacks       *prometheus.CounterVec

	forwardedIgnored *prometheus.CounterVec
	originsRefused   *prometheus.CounterVec

	accessChanges *prometheus.CounterVec
	unaudited     prometheus.Counter
	fallback      prometheus.Gauge
	fallbacks     prometheus.Counter
	fallbackCalls prometheus.Counter
	fallbackState atomic.Bool
}

// MetricsOptions configure Metrics.
type MetricsOptions struct {
	// NativeHistograms adds native buckets to all histograms, for scrapers that ask for
	// protobuf. Others get the classic ones.
	NativeHistograms bool
}

// nativeBucketFactor is how much wider each native bucket is than the one before, and
// maxNativeBuckets how many there may be.
const (
	nativeBucketFactor = 1.1
	maxNativeBuckets   = 100
)

// histogram returns o, with native buckets if the options want them.
func (mo MetricsOptions) histogram(o prometheus.HistogramOpts) prometheus.HistogramOpts {
	if mo.NativeHistograms {
		o.NativeHistogramBucketFactor, o.NativeHistogramMaxBucketNumber, o.NativeHistogramMinResetDuration = nativeBucketFactor, maxNativeBuckets, time.Hour
	}
	return o
}

// NewMetrics returns the instruments, including those of the Go runtime and the process.
func NewMetrics(o MetricsOptions) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: newRequestSeries(o),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "token_requests_total",
			Help: "Requests for access tokens, by outcome: minted, reused, refused or failed.",
		}, []string{"outcome"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limited_total",
			Help: "Requests past a limit, by limit and mode: enforce (refused), observe (passed).",
		}, []string{"limit", "mode"}),
		upstream: prometheus.NewHistogramVec(o.histogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "upstream_call_duration_seconds",
			Help:    "Duration of single calls to the vendor, by outcome.",
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}, // parsing takes 5 to 30 s
		}), []string{"outcome"}),
		gateway: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "gateway_requests_total",
			Help: "Calls of the gateway, by feature and outcome; refused_key means that the vendor refused the API key, or its quota is used up.",
		}, []string{"feature", "outcome"}),
		captures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "captures_total",
			Help: "Answers to parse calls through the gateway, by what became of them: saved, known, matched (kept for a day, gateway.capture: match), refused, failed (tried again), lost (the database failed), no_copy.",
		}, []string{"outcome"}),
		mailPolls: newMailPolls(), callbacks: newCallbacks(),
		gatewayDuration: prometheus.NewHistogramVec(o.histogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "gateway_request_duration_seconds",
			Help:    "Duration of calls of the gateway, with upload and answer, by feature.",
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120},
		}), []string{"feature"}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "audit_unwritten_total",
			Help: "Actions done without a record, because the audit trail could not be written.",
		}),
		accessChanges: newAccessChanges(), forwardedIgnored: newForwardedIgnored(), originsRefused: newOriginsRefused(),
		fallback: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "kv_fallback_active",
			Help: "1 while the in-process cache replaces Redis, else 0.",
		}),
		fallbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "kv_fallback_total",
			Help: "Times that the in-process cache began to replace Redis.",
		}),
		fallbackCalls: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "kv_fallback_calls_total",
			Help: "Calls that the in-process cache answered instead of Redis.",
		}),
	}
	m.keys, m.budgets, m.webhooks = newKeyMetrics(m.registry), newBudgetSeries(m.registry), newWebhookSeries(m.registry)
	m.clocks, m.work = newClockDifference(m.registry), newWorkSeries(m.registry)
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests.count, m.requests.duration, m.tokens, m.limited, m.upstream, m.gateway, m.gatewayDuration, m.captures, m.mailPolls, m.callbacks, m.unaudited, m.accessChanges, m.forwardedIgnored, m.originsRefused,
		m.fallback, m.fallbacks, m.fallbackCalls,
	)
	for _, rare := range []string{"lost", "no_copy"} {
		m.captures.WithLabelValues(rare) // an alert sees no increase from nothing to 1
	}
	return m
}

// SetBuildInfo publishes the build of the program. It may be called once.
func (m *Metrics) SetBuildInfo(version, commit, goVersion string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help:        "Always 1; the labels tell the build of the broker.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "goversion": goVersion},
	}, func() float64 { return 1 }))
}

// Handler serves all metrics in the format that the scraper asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// ObserveRequest counts one HTTP request. route is the router's template
// ("/v1/portfolios/:id"), not the path; "" means that no route matched.
func (m *Metrics) ObserveRequest(route, method string, status int, d time.Duration) {
	m.requests.observe(route, method, status, d)
}

// CountToken counts one request for an access token; outcome is "minted", "reused",
// "refused" or "failed"; anything else is counted as "other".
func (m *Metrics) CountToken(outcome string) {
	switch outcome {
	case "minted", "reused", "refused", "failed":
	default:
		outcome = labelOther
	}
	m.tokens.WithLabelValues(outcome).Inc()
}

// CountLimited counts one request past a limit, such as "token-user"; mode is a constant of
// package ratelimit. The number of limits must be small.
func (m *Metrics) CountLimited(limit, mode string) {
	m.limited.WithLabelValues(limit, mode).Inc()
}

// CountUnaudited counts one action done without its audit record.
func (m *Metrics) CountUnaudited() { m.unaudited.Inc() }

// ObserveUpstream counts one call to the vendor. outcome is one of the constants of package
// upstream.
func (m *Metrics) ObserveUpstream(outcome string, d time.Duration) {
	m.upstream.WithLabelValues(outcome).Observe(d.Seconds())
}

// ObserveGateway counts one call of the gateway. feature and outcome are constants of
// package gateway.
func (m *Metrics) ObserveGateway(feature, outcome string, d time.Duration) {
	m.gateway.WithLabelValues(feature, outcome).Inc()
	m.gatewayDuration.WithLabelValues(feature).Observe(d.Seconds())
}

// CountCapture counts what became of an answer to a parse call; outcome is a constant of
// package portfolio.
func (m *Metrics) CountCapture(outcome string) { m.captures.WithLabelValues(outcome).Inc() }

// SetFallback records whether the in-process cache replaces Redis. Repeating a state has
// no effect.
func (m *Metrics) SetFallback(active bool) {
	if m.fallbackState.Swap(active) == active {
		return
	}
	if active {
		m.fallback.Set(1)
		m.fallbacks.Inc()
		return
	}
	m.fallback.Set(0)
}

// CountFallbackCall counts one call that the in-process cache answered instead of Redis.
func (m *Metrics) CountFallbackCall() { m.fallbackCalls.Inc() }

// WatchLog publishes how many log lines could not be written, read at every scrape. It may be
// called once; lost must be safe for concurrent use.
func (m *Metrics) WatchLog(lost func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "log_lines_lost_total",
		Help: "Log lines that could not be written, or were dropped since more than 4 MiB waited for a log that is stuck.",
	}, func() float64 { return float64(lost()) }))
}

// WatchJWTCache publishes the counters of the cache of verified JWTs, read at every scrape.
// It may be called once; hits and misses must be safe for concurrent use.
func (m *Metrics) WatchJWTCache(hits, misses func() uint64) {
	for result, read := range map[string]func() uint64{"hit": hits, "miss": misses} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "jwt_cache_requests_total",
			Help:        "Lookups in the cache of verified JWTs, by result.",
			ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(read()) }))
	}
}

// WatchTokenPool publishes how many tokens are ready in the pool, read at every scrape, and
// returns a function that counts a request for one: whether one was ready. WatchTokenPool
// may be called once.
func (m *Metrics) WatchTokenPool(ready func() int) (count func(taken bool)) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "token_pool_requests_total",
		Help: "New direct tokens that were needed, by result: taken from the pool, or missed, since it was empty.",
	}, []string{"result"})
	taken, missed := requests.WithLabelValues("taken"), requests.WithLabelValues("missed")
	m.registry.MustRegister(requests, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "token_pool_tokens",
		Help: "Minted tokens that are ready and belong to no user yet.",
	}, func() float64 { return float64(ready()) }))
	return func(wasReady bool) {
		if wasReady {
			taken.Inc()
		} else {
			missed.Inc()
		}
	}
}
