package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StatementJobs are the instruments of statements that are parsed after their requests were answered.
type StatementJobs struct {
	jobs   *prometheus.GaugeVec
	oldest prometheus.Gauge
	runs   *prometheus.CounterVec
}

// StatementJobs publishes them; outcomes are all that Count is called with. It may be called once.
func (m *Metrics) StatementJobs(outcomes []string) *StatementJobs {
	s := &StatementJobs{
		jobs: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "statement_jobs", Help: "Statements that are parsed in the background, of all replicas, by state: waiting or running.",
		}, []string{"state"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "statement_oldest_job_age_seconds", Help: "How long the oldest of the waiting statements has waited; 0 if none waits.",
		}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "statement_job_runs_total",
			Help: "Tries to parse a statement in the background, by outcome: done, save_pending (the answer is stored, and saved later), retried (the vendor got nothing, it waits again), failed, or lost (its process was killed).",
		}, []string{"outcome"}),
	}
	for _, outcome := range outcomes {
		s.runs.WithLabelValues(outcome)
	}
	m.registry.MustRegister(s.jobs, s.oldest, s.runs)
	return s
}

// Count counts one try.
func (s *StatementJobs) Count(outcome string) { s.runs.WithLabelValues(outcome).Inc() }

// Set publishes how many wait and run, and how long the oldest that waits has.
func (s *StatementJobs) Set(waiting, running int, age time.Duration) {
	s.jobs.WithLabelValues("waiting").Set(float64(waiting))
	s.jobs.WithLabelValues("running").Set(float64(running))
	s.oldest.Set(max(age, 0).Seconds())
}

// WatchAnswers publishes the cache of answers to reads, read at every scrape. It may be called
// once; stats must be safe for concurrent use.
func (m *Metrics) WatchAnswers(stats func() (hits, misses uint64, bytes int)) {
	m.watchCounter("answer_cache_requests_total", "Reads of portfolios and holdings, by result: hit (answered from memory, confirmed by the database) or miss.",
		[]string{"result"}, func(emit Emit) {
			hits, misses, _ := stats()
			emit(float64(hits), "hit")
			emit(float64(misses), "miss")
		})
	m.watchGauge("answer_cache_bytes", "Answers to reads in memory.", nil, func(emit Emit) {
		_, _, bytes := stats()
		emit(float64(bytes))
	})
}
