package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newLearned() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "access_changes_total",
		Help: "Blocks and revocations that came to be known here, by how: own, told (by a message), polled or asked.",
	}, []string{"learned"})
}

// CountAccess counts changes of access that came to be known; learned is one of the
// few ways that package access declares.
func (m *Metrics) CountAccess(learned string, changes int) {
	m.learned.WithLabelValues(learned).Add(float64(changes))
}

// AccessView is what WatchAccess reads. It is safe for concurrent use.
type AccessView interface {
	Version() int64
	Blocks() int64
	Age() time.Duration
}

// WatchAccess reads how up to date the view of blocks and revocations is whenever
// metrics are asked for. It may be called once.
func (m *Metrics) WatchAccess(v AccessView) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read))
	}
	gauge("access_blocks", "Users that are held blocked.", func() float64 { return float64(v.Blocks()) })
	gauge("access_version", "The newest change of access that is known here.", func() float64 { return float64(v.Version()) })
	gauge("access_view_age_seconds", "Time since all changes of access were last known here.",
		func() float64 { return v.Age().Seconds() })
}
