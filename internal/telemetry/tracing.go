package telemetry

import "github.com/prometheus/client_golang/prometheus"

// CountSpans returns a function that counts spans of traces by what became of them, a constant
// of package tracing. It may be called once.
func (m *Metrics) CountSpans() func(result string, spans int) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "trace_spans_total",
		Help: "Spans of traces by result: sent, failed (the collector did not take them), or dropped, since too many waited.",
	}, []string{"result"})
	m.registry.MustRegister(counter)
	return func(result string, spans int) { counter.WithLabelValues(result).Add(float64(spans)) }
}
