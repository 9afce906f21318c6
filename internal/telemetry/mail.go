package telemetry

import "github.com/prometheus/client_golang/prometheus"

func newMailPolls() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "mail_polls_total",
		Help: "Polls for files of forwarding addresses, by how they were answered: stored (without the vendor), asked, failed (the vendor was asked in vain).",
	}, []string{"answer"})
}

func newCallbacks() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "inbound_callbacks_total",
		Help: "The vendor's callbacks about forwarded mail, by outcome: stored, repeated, unknown, refused, failed.",
	}, []string{"outcome"})
}

// CountMailPoll counts one poll for the files of a forwarding address; answer is a constant
// of package gateway.
func (m *Metrics) CountMailPoll(answer string) { m.mailPolls.WithLabelValues(answer).Inc() }

// CountCallback counts one callback of the vendor; outcome is a constant of package gateway.
func (m *Metrics) CountCallback(outcome string) { m.callbacks.WithLabelValues(outcome).Inc() }
