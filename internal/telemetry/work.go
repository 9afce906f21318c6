package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxReasons bounds the series of error answers. Codes and reasons are constants; the broker
// has fewer.
const maxReasons = 300

// workSeries are the instruments of error answers, saves and background jobs.
type workSeries struct {
	errors   *prometheus.CounterVec
	saves    *prometheus.CounterVec
	rows     prometheus.Counter
	warnings *prometheus.CounterVec

	jobs    *prometheus.CounterVec
	jobTime *prometheus.CounterVec
	jobLast *prometheus.GaugeVec
	last    *prometheus.GaugeVec

	mu    sync.Mutex
	known map[[3]string]bool
}

func newWorkSeries(r prometheus.Registerer) *workSeries {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	w := &workSeries{
		errors: counter("error_answers_total",
			"Error answers, by HTTP status, code and reason (what tells answers with one code apart, often empty). 401, 402, 403 and 429 are refusals.", "status", "code", "reason"),
		saves:    counter("portfolio_saves_total", "Statements that were saved, by result: created, or repeated (the user had it already).", "result"),
		rows:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "portfolio_rows_total", Help: "Holdings and transactions in statements that were saved for the first time."}),
		warnings: counter("portfolio_warnings_total", "Warnings about statements that were saved for the first time, by code.", "code"),
		jobs:     counter("background_runs_total", "Runs of background jobs of this replica, by job and result: ok or failed.", "name", "result"),
		jobTime:  counter("background_run_seconds_total", "Time that background jobs of this replica have run, by job.", "name"),
		jobLast:  gauge("background_last_success_timestamp_seconds", "Unix time of the end of the last run without an error, by job; absent before the first.", "name"),
		last: gauge("last_success_timestamp_seconds",
			"Unix time of the last success on any replica, by task: retention, backup; 0 if there was none.", "task"),
		known: map[[3]string]bool{},
	}
	r.MustRegister(w.errors, w.saves, w.rows, w.warnings, w.jobs, w.jobTime, w.jobLast, w.last)
	return w
}

// CountError counts one error answer. code and reason are constants.
func (m *Metrics) CountError(status, code, reason string) {
	m.work.errors.WithLabelValues(m.work.bounded(status, code, reason)...).Inc()
}

// bounded returns the labels of an error answer, with the code "other" if there are too many.
func (w *workSeries) bounded(status, code, reason string) []string {
	key := [3]string{status, code, reason}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known[key] && len(w.known) >= maxReasons {
		return []string{status, labelOther, ""}
	}
	w.known[key] = true
	return key[:]
}

// CountSave counts a statement that was saved. created is false if the user had it already;
// then rows and warnings, which are constant codes, are not counted.
func (m *Metrics) CountSave(created bool, rows int, warnings []string) {
	if !created {
		m.work.saves.WithLabelValues("repeated").Inc()
		return
	}
	m.work.saves.WithLabelValues("created").Inc()
	m.work.rows.Add(float64(rows))
	for _, code := range warnings {
		m.work.warnings.WithLabelValues(code).Inc()
	}
}

// ObserveJob counts one run of a background job, which ended at a time.
func (m *Metrics) ObserveJob(name string, at time.Time, took time.Duration, err error) {
	m.work.jobTime.WithLabelValues(name).Add(max(took, 0).Seconds())
	if err != nil {
		m.work.jobs.WithLabelValues(name, "failed").Inc()
		return
	}
	m.work.jobs.WithLabelValues(name, "ok").Inc()
	m.work.jobLast.WithLabelValues(name).Set(float64(at.UnixMilli()) / 1000)
}

// SetLastSuccess records when a task that any replica may do was last done; the zero time
// means never.
func (m *Metrics) SetLastSuccess(task string, at time.Time) {
	seconds := 0.0
	if !at.IsZero() {
		seconds = float64(at.UnixMilli()) / 1000
	}
	m.work.last.WithLabelValues(task).Set(seconds)
}
