package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newClockDifference returns the gauge behind SetClockDifference.
func newClockDifference(registry prometheus.Registerer) *prometheus.GaugeVec {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "clock_difference_seconds",
		Help: "How far the clock of this machine was ahead of that of a service (database, redis or vendor) when it was last compared; negative if it was behind.",
	}, []string{"service"})
	registry.MustRegister(gauge)
	return gauge
}

// SetClockDifference records how far the clock of this machine is ahead of that of service.
func (m *Metrics) SetClockDifference(service string, ahead time.Duration) {
	m.clocks.WithLabelValues(service).Set(ahead.Seconds())
}
