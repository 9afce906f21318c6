package telemetry

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	labelOther     = "other"
	routeUnmatched = "unmatched"

	// maxRequestSeries limits the number of series, whatever the labels are. The broker's
	// own routes, methods and status classes need about a hundred.
	maxRequestSeries = 1000
)

// requestSeries has the instruments of HTTP requests. The map of known labels is copied
// when it grows, so that observing a request takes no lock and does not allocate.
type requestSeries struct {
	count    *prometheus.CounterVec
	duration *prometheus.HistogramVec

	grow  sync.Mutex // held while known is replaced
	known atomic.Pointer[map[requestLabels]requestInstruments]
}

type requestLabels struct {
	route, method, class string
}

type requestInstruments struct {
	count    prometheus.Counter
	duration prometheus.Observer
}

func newRequestSeries(o MetricsOptions) *requestSeries {
	s := &requestSeries{
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "http_requests_total",
			Help: "HTTP requests answered, by route template, method and class of status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(o.histogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer, by route template and method.",
			Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60},
		}), []string{"route", "method"}),
	}
	s.known.Store(&map[requestLabels]requestInstruments{})
	return s
}

func (s *requestSeries) observe(route, method string, status int, d time.Duration) {
	if route == "" {
		route = routeUnmatched
	}
	labels := requestLabels{route, methodLabel(method), classLabel(status)}
	i, ok := (*s.known.Load())[labels]
	if !ok {
		i = s.add(labels)
	}
	i.count.Inc()
	i.duration.Observe(d.Seconds())
}

// add returns new instruments for labels, or those of "other" at maxRequestSeries.
func (s *requestSeries) add(labels requestLabels) requestInstruments {
	s.grow.Lock()
	defer s.grow.Unlock()
	known := *s.known.Load()
	if len(known) >= maxRequestSeries {
		labels = requestLabels{labelOther, labelOther, labelOther}
	}
	if i, ok := known[labels]; ok {
		return i
	}
	i := requestInstruments{
		count:    s.count.WithLabelValues(labels.route, labels.method, labels.class),
		duration: s.duration.WithLabelValues(labels.route, labels.method),
	}
	more := maps.Clone(known)
	more[labels] = i
	s.known.Store(&more)
	return i
}

// methodLabel returns method if it is a standard one, else "other".
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return labelOther
	}
}

// classLabel returns the class of status, such as "2xx".
func classLabel(status int) string {
	switch status / 100 {
	case 1:
		return "1xx"
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	case 5:
		return "5xx"
	default:
		return labelOther
	}
}
