package telemetry_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/telemetry"
)

// scrape returns the lines that a Prometheus server would read.
func scrape(t *testing.T, m *telemetry.Metrics) map[string]bool {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	lines := map[string]bool{}
	for line := range strings.Lines(w.Body.String()) {
		lines[strings.TrimSpace(line)] = true
	}
	return lines
}

func TestObservationsAreScraped(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	m.ObserveRequest("/v1/portfolios/:id", "GET", 200, 3*time.Millisecond)
	m.ObserveRequest("/v1/portfolios/:id", "GET", 204, 300*time.Millisecond)
	m.ObserveRequest("/v1/portfolios/:id", "GET", 404, time.Millisecond)
	m.ObserveRequest("", "BREW", 700, time.Millisecond)
	m.CountToken("minted")
	m.CountToken("reused")
	m.CountToken("reused")
	m.CountToken("no such outcome")
	m.CountLimited("token-user", "enforce")
	m.ObserveUpstream("ok", 700*time.Millisecond)
	m.ObserveGateway("parse", "ok", 4*time.Second)
	m.CountCapture("saved")
	m.CountMailPoll("stored")
	m.CountCallback("refused")
	m.SetFallback(true)
	m.SetFallback(true)
	m.WatchJWTCache(func() uint64 { return 41 }, func() uint64 { return 2 })
	count := m.WatchTokenPool(func() int { return 7 })
	count(true)
	count(true)
	count(false)
	m.SetBuildInfo("v0.2.0", "1a2b3c4", "go1.26")
	got := scrape(t, m)
	for _, want := range []string{
		`casbroker_build_info{commit="1a2b3c4",goversion="go1.26",version="v0.2.0"} 1`,
		`casbroker_http_requests_total{method="GET",route="/v1/portfolios/:id",status="2xx"} 2`,
		`casbroker_http_requests_total{method="GET",route="/v1/portfolios/:id",status="4xx"} 1`,
		`casbroker_http_requests_total{method="other",route="unmatched",status="other"} 1`,
		`casbroker_http_request_duration_seconds_bucket{method="GET",route="/v1/portfolios/:id",le="0.005"} 2`,
		`casbroker_http_request_duration_seconds_count{method="GET",route="/v1/portfolios/:id"} 3`,
		`casbroker_token_requests_total{outcome="minted"} 1`,
		`casbroker_token_requests_total{outcome="reused"} 2`,
		`casbroker_token_requests_total{outcome="other"} 1`,
		`casbroker_rate_limited_total{limit="token-user",mode="enforce"} 1`,
		`casbroker_upstream_call_duration_seconds_bucket{outcome="ok",le="1"} 1`,
		`casbroker_captures_total{outcome="saved"} 1`,
		`casbroker_mail_polls_total{answer="stored"} 1`,
		`casbroker_inbound_callbacks_total{outcome="refused"} 1`,
		`casbroker_gateway_requests_total{feature="parse",outcome="ok"} 1`,
		`casbroker_gateway_request_duration_seconds_bucket{feature="parse",le="5"} 1`,
		`casbroker_kv_fallback_active 1`,
		`casbroker_kv_fallback_total 1`,
		`casbroker_token_pool_tokens 7`,
		`casbroker_token_pool_requests_total{result="taken"} 2`,
		`casbroker_token_pool_requests_total{result="missed"} 1`,
		`casbroker_jwt_cache_requests_total{result="hit"} 41`,
		`casbroker_jwt_cache_requests_total{result="miss"} 2`,
	} {
		if !got[want] {
			t.Errorf("scrape lacks %s", want)
		}
	}
	m.SetFallback(false)
	m.SetFallback(true)
	m.SetFallback(false)
	if got := scrape(t, m); !got["casbroker_kv_fallback_active 0"] || !got["casbroker_kv_fallback_total 2"] {
		t.Error("want kv_fallback_active 0 and kv_fallback_total 2")
	}
}

func TestNumberOfSeriesIsLimited(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	for i := range 3000 {
		m.ObserveRequest(fmt.Sprintf("/made/up/%d", i), "GET", 200, 0)
	}
	series := 0
	for line := range scrape(t, m) {
		if strings.HasPrefix(line, "casbroker_http_requests_total{") {
			series++
		}
	}
	if series != 1001 {
		t.Errorf("got %d series, want 1001", series)
	}
	if !scrape(t, m)[`casbroker_http_requests_total{method="other",route="other",status="other"} 2000`] {
		t.Error("want the requests beyond the limit counted together")
	}
}

func TestConcurrentRequestsAreAllCounted(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				m.ObserveRequest("/v1/token", "POST", 200, 0)
				m.ObserveRequest(fmt.Sprintf("/%d", (i+j)%50), "GET", 200, 0)
			}
		})
	}
	all.Wait()
	if !scrape(t, m)[`casbroker_http_requests_total{method="POST",route="/v1/token",status="2xx"} 4000`] {
		t.Error("want 4000 requests of /v1/token")
	}
}

func TestObservingAKnownRouteDoesNotAllocate(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	m.ObserveRequest("/v1/token", "POST", 200, 0)
	n := testing.AllocsPerRun(100, func() { m.ObserveRequest("/v1/token", "POST", 200, time.Millisecond) })
	if n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkObserveRequest(b *testing.B) {
	m := telemetry.NewMetrics(telemetry.MetricsOptions{})
	b.ReportAllocs()
	for b.Loop() {
		m.ObserveRequest("/v1/token", "POST", 200, time.Millisecond)
	}
}
