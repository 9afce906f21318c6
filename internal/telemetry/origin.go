package telemetry

import "github.com/prometheus/client_golang/prometheus"

func newOriginsRefused() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "origins_refused_total",
		Help: "Requests of pages of other origins that server.allowed_origins does not list, by request: preflight or actual. The log has the origins.",
	}, []string{"request"})
	for _, request := range []string{"preflight", "actual"} {
		c.WithLabelValues(request) // so that each is there from the start
	}
	return c
}

// CountOriginRefused counts one request of a page of another origin that is not allowed;
// request is a constant of package server.
func (m *Metrics) CountOriginRefused(request string) { m.originsRefused.WithLabelValues(request).Inc() }
