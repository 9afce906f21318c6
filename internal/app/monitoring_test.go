package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/telemetry"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// monitored is what a broker must publish, by name and, where they matter, labels.
var monitored = []string{
	// Requests, errors and refusals by reason.
	`casbroker_http_requests_total{method="POST",route="/v1/token",status="2xx"}`,
	`casbroker_http_request_duration_seconds_bucket{`,
	`casbroker_error_answers_total{code="unauthenticated",reason="",status="401"} 1`,
	`casbroker_error_answers_total{code="invalid_token",reason="malformed",status="401"} 1`,
	`casbroker_error_answers_total{code="subject_blocked",reason="",status="403"} 1`,
	`casbroker_error_answers_total{code="rate_limited",reason="",status="429"} 1`,
	`casbroker_rate_limited_total{limit="upload-user",mode="enforce"} 1`,
	// Tokens, caches and the replacement of Redis.
	`casbroker_token_requests_total{outcome="minted"}`, `casbroker_token_requests_total{outcome="reused"}`,
	`casbroker_token_pool_tokens `, `casbroker_jwt_cache_requests_total{result="hit"}`,
	`casbroker_kv_fallback_active 0`, `casbroker_kv_fallback_total 0`, `casbroker_kv_fallback_calls_total 0`,
	`casbroker_redis_connections{state="idle"}`, `casbroker_redis_connection_timeouts_total 0`,
	// The vendor and its keys.
	`casbroker_upstream_call_duration_seconds_count{outcome="ok"}`, `casbroker_upstream_breaker_state{state="closed"} 1`,
	`casbroker_upstream_key_usable{key="default"} 1`, `casbroker_upstream_key_usable{key="old"} 0`,
	`casbroker_upstream_key_set_aside_total{key="old",reason="refused"} 1`,
	`casbroker_upstream_key_credits{key="default"} `, `casbroker_upstream_key_credits_limit{key="default"} `, `casbroker_upstream_queue_requests 0`,
	`casbroker_gateway_requests_total{feature="parse",outcome="ok"}`, `casbroker_gateway_request_duration_seconds_bucket{`,
	`casbroker_gateway_credits_total{`, `casbroker_budget_used_credits{budget="all-day"}`, `casbroker_budget_limit_credits{budget="all-day"}`,
	// Blocks and revocations.
	`casbroker_access_view_age_seconds `, `casbroker_access_blocks 1`, `casbroker_access_version `, `casbroker_access_changes_total{`,
	// Saves.
	`casbroker_portfolio_saves_total{result="created"} `, `casbroker_portfolio_saves_total{result="repeated"} 1`, `casbroker_portfolio_rows_total `,
	`casbroker_portfolio_warnings_total{code="`, `casbroker_captures_total{`,
	`casbroker_answer_cache_requests_total{result="hit"} `, `casbroker_answer_cache_requests_total{result="miss"} `, `casbroker_answer_cache_bytes `,
	`casbroker_statement_jobs{state="waiting"} 0`, `casbroker_statement_jobs{state="running"} 0`, `casbroker_statement_oldest_job_age_seconds 0`,
	`casbroker_statement_job_runs_total{outcome="done"} `, `casbroker_statement_job_runs_total{outcome="save_pending"} 0`, `casbroker_statement_job_runs_total{outcome="lost"} 0`,
	// What an alert counts begins with 0.
	`casbroker_captures_total{outcome="lost"} 0`, `casbroker_captures_total{outcome="no_copy"} 0`,
	`casbroker_webhook_deliveries_total{endpoint="backend",result="failed"} 0`, `casbroker_webhook_deliveries_total{endpoint="backend",result="disabled"} 0`,
	// The database, events, files that are sent, and jobs.
	`casbroker_store_connections{pool="reader",state="idle"}`, `casbroker_store_connections_limit{pool="writer"} 1`,
	`casbroker_store_connection_waits_total{pool="writer"}`, `casbroker_store_connection_wait_seconds_total{pool="writer"}`,
	`casbroker_webhook_pending_events{endpoint="backend"}`, `casbroker_webhook_oldest_event_age_seconds{endpoint="backend"}`,
	`casbroker_webhook_deliveries_total{endpoint="backend",result="delivered"}`,
	`casbroker_spool_bytes 0`, `casbroker_spool_limit_bytes `,
	`casbroker_background_runs_total{name="write audit records",result="ok"}`, `casbroker_background_run_seconds_total{name="write audit records"}`,
	`casbroker_background_last_success_timestamp_seconds{name="publish an audit anchor"} 1`,
	// The audit trail, retention and backup.
	`casbroker_audit_unwritten_total 0`,
	`casbroker_last_success_timestamp_seconds{task="retention"} 1`, `casbroker_last_success_timestamp_seconds{task="backup"} 0`,
	// The process.
	`casbroker_clock_difference_seconds{service="redis"}`, `casbroker_secret_files_unusable 0`, `casbroker_log_lines_lost_total 0`,
	`casbroker_build_info{`, `go_goroutines `, `process_resident_memory_bytes `, `process_open_fds `,
}

// monitoredBroker returns the metrics of a broker that has served each kind of call.
func monitoredBroker(t *testing.T) string {
	t.Helper()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(services.OwnRedis(t).URL))
	settings.Server.MetricsAddress = freeAddress(t)
	settings.Token.Mode, settings.Token.Pool = config.ModeBoth, 1
	settings.Access.BlockCovers = config.BlockCoversTokens
	settings.Budgets = []config.Budget{{Name: "all-day", Scope: config.ScopeAll, Period: config.PeriodDay, Credits: 100000}}
	settings.Audit.Anchor.Every = time.Hour
	settings.Retention.Grants = 24 * time.Hour
	settings.RateLimit.Upload = config.Limits{User: "2-D", Mode: config.ModeEnforce} // one through the gateway
	settings.Upstream.Keys = append(settings.Upstream.Keys, config.UpstreamKey{Name: "old", APIKey: "refused-key-0123456789", Weight: 1})
	events := receiveWebhooks(t, &settings)
	b := start(t, settings)
	within(t, 10*time.Second, "the key that the vendor refuses is set aside", func() bool {
		return strings.Contains(b.log.String(), "an API key is set aside")
	})
	b.token(t, "asha")
	b.token(t, "asha")
	b.call(t, "", http.MethodPost, "/v1/token", "").mustRefuse(t, 401, "unauthenticated")
	b.as(t, "not-a-jwt", http.MethodPost, "/v1/token", "").mustRefuse(t, 401, "invalid_token")
	if _, err := b.app.Access().Block(t.Context(), operator, "app:rohan", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.call(t, "rohan", http.MethodPost, "/v1/token", "").mustRefuse(t, 403, "subject_blocked")
	statement := b.parsed(t, "asha", "cdsl")
	b.latest(t, "asha")
	b.post(t, "asha", strings.Replace(statement, "4687725.97", "5687725.97", 1), 201)
	b.post(t, "asha", statement, 200)
	b.upload(t, "asha", "nsdl", "ABCDE1234F").must(t, 201)
	b.upload(t, "asha", "nsdl", "ABCDE1234F").mustRefuse(t, 429, "rate_limited")
	next(t, events)
	for end := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) { // jobs set some
		metrics := scrape(t, settings.Server.MetricsAddress)
		missing := slices.DeleteFunc(slices.Clone(monitored), func(want string) bool { return strings.Contains(metrics, "\n"+want) })
		if len(missing) == 0 {
			return metrics
		}
		if time.Now().After(end) {
			t.Fatalf("the metrics lack\n%s\n\nthey are\n%s", strings.Join(missing, "\n"), metrics)
		}
	}
}

func TestMetricsOfEachKindOfCall(t *testing.T) {
	t.Parallel()
	metrics := monitoredBroker(t)
	if strings.Contains(metrics, "asha") || strings.Contains(metrics, "rohan") {
		t.Error("the metrics name a user")
	}
	t.Run("their names follow Prometheus' conventions", func(t *testing.T) {
		if out := services.Promtool(t, metrics, "check", "metrics"); out != "" {
			t.Errorf("promtool: %s", out)
		}
	})
	t.Run("rules and dashboard use only metrics that exist", func(t *testing.T) {
		rare := telemetry.NewMetrics(telemetry.MetricsOptions{}) // what only a comparison with the vendor and traces set
		rare.SetUsageDifferences(map[string]float64{"smart_parser": 1})
		rare.CountSpans()
		w := httptest.NewRecorder()
		rare.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		checkMetricNames(t, metrics+w.Body.String())
	})
}

const monitoringFolder = "../../config/monitoring/"

// monitoringFile returns a file of config/monitoring.
func monitoringFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(monitoringFolder + name) //nolint:gosec // a file of ours
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var metricName = regexp.MustCompile(`\b(casbroker|go|process)_[a-z_]+`)

// checkMetricNames fails the test if rules or dashboard use a metric that is not in metrics.
func checkMetricNames(t *testing.T, metrics string) {
	t.Helper()
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		names := metricName.FindAllString(monitoringFile(t, file), -1)
		if len(names) < 20 {
			t.Errorf("%s: got %d names of metrics, want more", file, len(names))
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !strings.Contains(metrics, "\n"+name+"{") && !strings.Contains(metrics, "\n"+name+" ") {
				t.Errorf("%s uses %s, which a broker does not publish", file, name)
			}
		}
	}
}

func TestEachAlertFiresAndHasALineInTheRunbook(t *testing.T) {
	t.Parallel()
	out := services.Promtool(t, "", "test", "rules", monitoringFolder+"alerts_test.yml")
	if !strings.Contains(out, "SUCCESS") {
		t.Errorf("got %s", out)
	}
	tests, runbook := monitoringFile(t, "alerts_test.yml"), monitoringFile(t, "README.md")
	alerts := regexp.MustCompile(`(?m)^      - alert: (.+)$`).FindAllStringSubmatch(monitoringFile(t, "alerts.yml"), -1)
	if len(alerts) < 20 {
		t.Errorf("got %d alerts, want more", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(tests, `alertname="`+a[1]+`",alertstate="firing"`) {
			t.Errorf("no test has %s fire", a[1])
		}
		if !strings.Contains(runbook, "\n| "+a[1]+" |") {
			t.Errorf("the runbook lacks %s", a[1])
		}
	}
}

func TestPrometheusReadsTheSettingsForIt(t *testing.T) {
	t.Parallel()
	services.Promtool(t, "", "check", "config", monitoringFolder+"prometheus.yml")
	var dashboard struct {
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(monitoringFile(t, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder // each query is one that Prometheus can read
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q has no query", p.Title)
		}
		for i, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&rules, "      - record: panel:%d:%d\n        expr: %q\n", p.ID, i, expr)
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	services.Promtool(t, "", "check", "rules", file)
}

func TestBackupIsSeenInTheMetrics(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Server.MetricsAddress = freeAddress(t)
	if err := app.RecordBackup(t.Context(), settings, app.Options{LogTo: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b := start(t, settings)
	b.call(t, "", http.MethodGet, "/healthz", "").must(t, 200) // the metrics are served before
	within(t, 10*time.Second, "the time of the backup", func() bool {
		return strings.Contains(scrape(t, settings.Server.MetricsAddress), `casbroker_last_success_timestamp_seconds{task="backup"} 1.`)
	})
}

func TestProfilesAreServedOnlyIfTheSettingsWantThem(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{false, true} {
		settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
		settings.Server.MetricsAddress, settings.Metrics.Pprof = freeAddress(t), wanted
		b := start(t, settings)
		b.call(t, "", http.MethodGet, "/healthz", "").must(t, 200) // the metrics are served before
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/heap"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+settings.Server.MetricsAddress+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if got := send(t, http.DefaultClient, req).status; (got == http.StatusOK) != wanted {
				t.Errorf("with metrics.pprof %t, %s: got %d", wanted, path, got)
			}
			b.call(t, "", http.MethodGet, strings.TrimSuffix(path, "?debug=1"), "").must(t, 404)
		}
		if strings.Contains(b.log.String(), "metrics.pprof") {
			t.Errorf("a loopback address is warned of: %s", b.log)
		}
	}
}

func TestProfilesOnOtherAddressesAreWarnedOf(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	settings.Server.MetricsAddress, settings.Metrics.Pprof = ":"+port, true
	b := start(t, settings)
	b.call(t, "", http.MethodGet, "/healthz", "").must(t, 200)
	if log := b.log.String(); !strings.Contains(log, `"level":"WARN","msg":"metrics.pprof: `) {
		t.Errorf("got %s, want a warning", log)
	}
}
