package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"casbroker/internal/tracing"
)

// CountSpans returns a function that counts spans of traces by what became of them, a constant
// of package tracing. It may be called once.
func (m *Metrics) CountSpans() func(result string, spans int) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "trace_spans_total",
		Help: "Spans of traces by result: sent, failed (the collector did not take them), or dropped, since too many waited.",
	}, []string{"result"})
	m.registry.MustRegister(counter)
	for _, result := range []string{tracing.Sent, tracing.Failed, tracing.Dropped} {
		counter.WithLabelValues(result) // an alert sees no increase from nothing to 1
	}
	return func(result string, spans int) { counter.WithLabelValues(result).Add(float64(spans)) }
}
