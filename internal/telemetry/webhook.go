package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// webhookSeries are the instruments of events that are sent.
type webhookSeries struct {
	deliveries *prometheus.CounterVec
	pending    *prometheus.GaugeVec
	age        *prometheus.GaugeVec
}

func newWebhookSeries(r prometheus.Registerer) *webhookSeries {
	w := &webhookSeries{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "webhook_deliveries_total",
			Help: "Tries to send an event, by endpoint and result: delivered, retried, failed (given up) or disabled (the receiver answered 410).",
		}, []string{"endpoint", "result"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "webhook_pending_events", Help: "Events that wait to be sent, by endpoint.",
		}, []string{"endpoint"}),
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "webhook_oldest_event_age_seconds", Help: "How long the oldest of the waiting events has waited, by endpoint; 0 if none waits.",
		}, []string{"endpoint"}),
	}
	r.MustRegister(w.deliveries, w.pending, w.age)
	return w
}

// CountDelivery counts one try to send an event to an endpoint, by its name.
func (m *Metrics) CountDelivery(endpoint, result string) {
	m.webhooks.deliveries.WithLabelValues(endpoint, result).Inc()
}

// SetBacklog publishes how many events wait for an endpoint, and how long the oldest has.
func (m *Metrics) SetBacklog(endpoint string, events int, age time.Duration) {
	for _, rare := range []string{"failed", "disabled"} {
		m.webhooks.deliveries.WithLabelValues(endpoint, rare) // an alert sees no increase from nothing to 1
	}
	m.webhooks.pending.WithLabelValues(endpoint).Set(float64(events))
	m.webhooks.age.WithLabelValues(endpoint).Set(age.Seconds())
}
