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
	settings.Upstream.CreditsEvery = 0                                                              // else that is one more call
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
		`casbroker_upstream_call_duration_seconds_count{outcome="ok"} 1`, // of the mint
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s:\n%s", want, metrics)
		}
	}
	if strings.Contains(metrics, "asha") {
		t.Error("the metrics name a user")
	}
}

func TestLimitsThatObserveLetRequestsPass(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	settings.Server.MetricsAddress = address
	settings.RateLimit.Read = config.Limits{User: "2-D", Mode: config.ModeObserve}
	settings.RateLimit.Save = config.Limits{User: "1-D", Mode: config.ModeEnforce}
	b := start(t, settings)
	for range 5 {
		if got := b.call(t, "asha", http.MethodGet, "/v1/portfolios", "").must(t, 200).header.Get("RateLimit"); got != "" {
			t.Errorf("got RateLimit %s, want none", got)
		}
	}
	b.signOut(t, "asha", "")
	b.call(t, "asha", http.MethodPost, "/v1/token/revoke", "").mustRefuse(t, 429, "rate_limited")
	metrics := scrape(t, address)
	for _, want := range []string{
		`casbroker_rate_limited_total{limit="read-user",mode="observe"} 3`, `casbroker_rate_limited_total{limit="save-user",mode="enforce"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if n := strings.Count(b.log.String(), "read-user"); n != 1 {
		t.Errorf("got %d lines in the log, want 1", n)
	}
}
