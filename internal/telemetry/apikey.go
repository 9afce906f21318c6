package telemetry

import "github.com/prometheus/client_golang/prometheus"

// keyMetrics tell which API keys are used.
type keyMetrics struct {
	usable   *prometheus.GaugeVec
	setAside *prometheus.CounterVec
}

func newKeyMetrics(registry *prometheus.Registry) keyMetrics {
	m := keyMetrics{
		usable: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "upstream_key_usable",
			Help: "1 while the API key with this name is used, 0 while it is set aside because the vendor does not accept it.",
		}, []string{"key"}),
		setAside: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "upstream_key_set_aside_total",
			Help: "Times that an API key was set aside, by reason: refused, out_of_credits, or quota_or_key (the vendor does not say which).",
		}, []string{"key", "reason"}),
	}
	registry.MustRegister(m.usable, m.setAside)
	return m
}

// SetKey records that the API key with this name is set aside for reason, or used if that is
// "". Names come from the settings.
func (m *Metrics) SetKey(name, reason string) {
	if reason == "" {
		m.keys.usable.WithLabelValues(name).Set(1)
		return
	}
	m.keys.usable.WithLabelValues(name).Set(0)
	m.keys.setAside.WithLabelValues(name, reason).Inc()
}
