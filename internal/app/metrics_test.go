package app_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestMetricsAnswerOnAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	settings, _ := settingsFor(t, "sqlite:"+tempFile(t), "memory")
	settings.Server.MetricsAddress = address
	b := start(t, settings)
	b.token(t, "asha")
	b.token(t, "asha")
	b.call(t, "", http.MethodGet, "/metrics", "").must(t, 404)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	metrics := send(t, http.DefaultClient, req).must(t, 200).body
	for _, want := range []string{
		`casbroker_token_requests_total{outcome="minted"} 1`,
		`casbroker_token_requests_total{outcome="reused"} 1`,
		`casbroker_jwt_cache_requests_total{result="miss"}`,
		`route="/v1/token"`,
		`casbroker_upstream_call_duration_seconds_count{outcome="ok"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if strings.Contains(metrics, "asha") {
		t.Error("the metrics name a user")
	}
}
