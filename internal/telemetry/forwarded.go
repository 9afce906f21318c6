package telemetry

import "github.com/prometheus/client_golang/prometheus"

func newForwardedIgnored() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "forwarded_ignored_total",
		Help: "Requests whose X-Forwarded-For was not used, by reason: untrusted_peer (not in server.trusted_proxies), unreadable_item (a trusted proxy sent something else than an address).",
	}, []string{"reason"})
	for _, reason := range []string{"untrusted_peer", "unreadable_item"} {
		c.WithLabelValues(reason) // so that each is there from the start
	}
	return c
}

// CountForwardedIgnored counts one request whose X-Forwarded-For was not used; reason is a
// constant of package server.
func (m *Metrics) CountForwardedIgnored(reason string) {
	m.forwardedIgnored.WithLabelValues(reason).Inc()
}
