package app_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casbroker/internal/sandbox"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

func TestPoolGivesANewUserATokenWhileTheVendorIsDown(t *testing.T) {
	t.Parallel()
	settings, vendor := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	down := new(atomic.Bool)
	settings.Upstream.URL = breakableVendor(t, vendor, down)
	settings.Upstream.Attempts, settings.Token.Pool = 1, 1
	settings.Server.MetricsAddress = freeAddress(t)
	b := start(t, settings)
	b.call(t, "", http.MethodGet, "/healthz", "").must(t, 200) // the metrics are served before
	waitForMetric(t, settings.Server.MetricsAddress, "casbroker_token_pool_tokens 1")
	down.Store(true)

	var first struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Mode        string `json:"mode"`
	}
	b.call(t, "asha", http.MethodPost, "/v1/token", "").must(t, 200).decode(t, &first)
	if first.Mode != "direct" || first.ExpiresIn > 3600 || first.ExpiresIn < 2700 {
		t.Errorf("got %s with %d s left, want a direct token with 2700 to 3600 s", first.Mode, first.ExpiresIn)
	}
	b.call(t, "rohan", http.MethodPost, "/v1/token", "").must(t, 503)
	down.Store(false)
	parse(t, settings.Upstream.URL, first.AccessToken, "cdsl", "x").must(t, 200) // the vendor knows the token
	metrics := scrape(t, settings.Server.MetricsAddress)
	for _, want := range []string{
		`casbroker_token_pool_requests_total{result="taken"} 1`,
		`casbroker_token_pool_requests_total{result="missed"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// breakableVendor serves vendor, and 503 while down is true.
func breakableVendor(t *testing.T, vendor *sandbox.Sandbox, down *atomic.Bool) string {
	t.Helper()
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		vendor.ServeHTTP(w, r)
	}))
	t.Cleanup(at.Close)
	return at.URL
}

// freeAddress returns an address of this machine that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

// scrape returns the metrics served at address.
func scrape(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, http.DefaultClient, req).must(t, 200).body
}

// waitForMetric returns once the metrics at address have line.
func waitForMetric(t *testing.T, address, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !strings.Contains(scrape(t, address), "\n"+line+"\n") {
		select {
		case <-ctx.Done():
			t.Fatalf("the metrics lack %s after 20 s", line)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
