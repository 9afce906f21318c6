package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Emit reports one value, with the values of the labels in their order.
type Emit func(value float64, labels ...string)

// watched is a metric whose values are read at every scrape.
type watched struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(Emit)
}

// Describe implements prometheus.Collector.
func (w watched) Describe(to chan<- *prometheus.Desc) { to <- w.desc }

// Collect implements prometheus.Collector.
func (w watched) Collect(to chan<- prometheus.Metric) {
	w.read(func(value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(w.desc, w.kind, value, labels...)
	})
}

func (m *Metrics) watch(kind prometheus.ValueType, name, help string, labels []string, read func(Emit)) {
	desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	m.registry.MustRegister(watched{desc, kind, read})
}

// watchGauge publishes a gauge that is read at every scrape. read must be safe for concurrent
// use, and not call Emit twice with the same labels.
func (m *Metrics) watchGauge(name, help string, labels []string, read func(Emit)) {
	m.watch(prometheus.GaugeValue, name, help, labels, read)
}

// watchCounter is watchGauge for a counter.
func (m *Metrics) watchCounter(name, help string, labels []string, read func(Emit)) {
	m.watch(prometheus.CounterValue, name, help, labels, read)
}
