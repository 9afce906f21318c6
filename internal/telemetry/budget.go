package telemetry

import "github.com/prometheus/client_golang/prometheus"

// budgetSeries are the instruments of calls that cost credits, and of budgets.
type budgetSeries struct {
	credits *prometheus.CounterVec
	unknown *prometheus.CounterVec
	reached *prometheus.CounterVec
	used    *prometheus.GaugeVec
	limit   *prometheus.GaugeVec
	differ  *prometheus.GaugeVec
}

func newBudgetSeries(r prometheus.Registerer) *budgetSeries {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	b := &budgetSeries{
		credits: counter("gateway_credits_total",
			"Credits that calls through the gateway cost, by feature (as the vendor names it) and API key.", "feature", "key"),
		unknown: counter("gateway_unknown_calls_total",
			"Calls through the gateway whose end is unknown, which count with their price, by feature.", "feature"),
		reached: counter("budget_reached_total", "Times that a budget was reached, once in its period for each user or app.", "budget"),
		used: gauge("budget_used_credits",
			"Credits used in the current period of a budget; of one for each user or app, by the one with the most.", "budget"),
		limit:  gauge("budget_limit_credits", "Credits of a budget in a period, without raises.", "budget"),
		differ: gauge("usage_difference_credits", "Credits in the vendor's usage of the last compared day beyond those recorded, by feature.", "feature"),
	}
	r.MustRegister(b.credits, b.unknown, b.reached, b.used, b.limit, b.differ)
	return b
}

// CountCredits counts what one call cost. unknown says that the vendor's word is missing.
// feature is one of the vendor's names, key the name of an API key.
func (m *Metrics) CountCredits(feature, key string, credits float64, unknown bool) {
	m.budgets.credits.WithLabelValues(feature, key).Add(max(credits, 0))
	if unknown {
		m.budgets.unknown.WithLabelValues(feature).Inc()
	}
}

// CountBudgetReached counts one budget that was reached.
func (m *Metrics) CountBudgetReached(name string) { m.budgets.reached.WithLabelValues(name).Inc() }

// SetBudget publishes how much of a budget is used, in credits.
func (m *Metrics) SetBudget(name string, used, limit float64) {
	m.budgets.used.WithLabelValues(name).Set(used)
	m.budgets.limit.WithLabelValues(name).Set(limit)
}

// SetUsageDifferences replaces the differences by feature, in credits.
func (m *Metrics) SetUsageDifferences(byFeature map[string]float64) {
	m.budgets.differ.Reset()
	for feature, difference := range byFeature {
		m.budgets.differ.WithLabelValues(feature).Set(difference)
	}
}
