package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

func TestMetricsAreServedOnTheirOwnAddress(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Server.MetricsAddress, settings.Access.BlockCovers = address, config.BlockCoversTokens // which the service of tokens counts
	b := start(t, settings)
	b.token(t, "asha")
	b.token(t, "asha")
	b.signOut(t, "asha", "")
	if _, err := b.app.Access().Block(t.Context(), operator, "app:rohan", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if !b.blocked(t, "rohan") {
		t.Error("a blocked user got a token")
	}
	b.call(t, "", http.MethodGet, "/metrics", "").must(t, 404)

	metrics := scrape(t, address)
	for _, want := range []string{
		`casbroker_token_requests_total{outcome="minted"} 1`,
		`casbroker_token_requests_total{outcome="reused"} 1`,
		`casbroker_token_requests_total{outcome="refused"} 1`,
		`casbroker_build_info{commit="`, `version="`, `goversion="go1.`,
		`casbroker_access_blocks 1`,
		`casbroker_access_version 2`,
		`casbroker_access_view_age_seconds`,
		`casbroker_access_changes_total{learned="own"} 2`,
		`casbroker_jwt_cache_requests_total{result="miss"}`,
		`route="/v1/token"`,
		`casbroker_upstream_call_duration_seconds_count{outcome="ok"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, metrics)
		}
	}
	if strings.Contains(metrics, "asha") {
		t.Error("the metrics name a user")
	}
}
