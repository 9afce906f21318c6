package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casbroker/internal/telemetry"
)

func TestNativeHistogramsAreServedToScrapersThatAskForThem(t *testing.T) {
	t.Parallel()
	for _, native := range []bool{false, true} {
		m := telemetry.NewMetrics(telemetry.MetricsOptions{NativeHistograms: native})
		m.ObserveRequest("/v1/token", http.MethodPost, 200, 3*time.Millisecond)
		for _, accept := range []string{"text/plain", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			m.Handler().ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), "casbroker_http_request_duration_seconds") {
				t.Errorf("%s: no histogram", accept)
			}
			if got := strings.Contains(w.Body.String(), "positive_span"); got != (native && accept != "text/plain") {
				t.Errorf("native %t, %s: got native buckets: %t", native, accept, got)
			}
		}
	}
}
