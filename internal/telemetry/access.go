package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newAccessChanges returns the counter behind CountAccess.
func newAccessChanges() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "access_changes_total",
		Help: "Blocks and revocations that this replica learned of, by trigger: own (made by itself), told (by a message), polled, or asked (a caller needed them).",
	}, []string{"learned"})
}

// CountAccess counts blocks and revocations that this replica learned of; trigger is one
// of the Trigger constants of package access.
func (m *Metrics) CountAccess(trigger string, changes int) {
	m.accessChanges.WithLabelValues(trigger).Add(float64(changes))
}

// AccessView is the view of blocks and revocations that WatchAccess reads. It is safe for
// concurrent use.
type AccessView interface {
	Version() int64
	Blocks() int64
	Age() time.Duration
}

// WatchAccess publishes the state of v, read at every scrape. It may be called once.
func (m *Metrics) WatchAccess(v AccessView) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
	}
	gauge("access_blocks", "Blocked users.", func() float64 { return float64(v.Blocks()) })
	gauge("access_version", "Number of the newest block or revocation that this replica knows.", func() float64 { return float64(v.Version()) })
	gauge("access_view_age_seconds", "Time since this replica last knew all blocks and revocations.",
		func() float64 { return v.Age().Seconds() })
}
