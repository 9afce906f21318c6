package telemetry

import "github.com/prometheus/client_golang/prometheus"

// WatchSecretFiles publishes how many files with secrets cannot be used, read at every
// scrape. It may be called once; unusable must be safe for concurrent use.
func (m *Metrics) WatchSecretFiles(unusable func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "secret_files_unusable",
		Help: "Files with secrets of the settings that cannot be read, or have something that cannot be used; what was read before, if anything, is used still.",
	}, func() float64 { return float64(unusable()) }))
}
