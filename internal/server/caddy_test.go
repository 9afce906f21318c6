package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"casbroker/internal/testkit/services"
)

// behindCaddy starts Caddy with config/Caddyfile, without TLS, for the brokers at these addresses.
func behindCaddy(t *testing.T, brokers ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../config/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	const site, replica = "\nbroker.example {", "reverse_proxy 127.0.0.1:8080 {"
	if strings.Count(string(text), site) != 1 || strings.Count(string(text), replica) != 1 {
		t.Fatalf("config/Caddyfile must have %q and %q", site, replica)
	}
	return services.Caddy(t, func(address string) string {
		return strings.NewReplacer(site, "\n"+address+" {", replica, "reverse_proxy "+strings.Join(brokers, " ")+" {").Replace(string(text))
	})
}

// TestEarlyAnswerIsHeardBehindCaddy sends bodies as browsers do to Caddy, by HTTP/2. In HTTP/1.1 Caddy closes
// the connection with the answer.
func TestEarlyAnswerIsHeardBehindCaddy(t *testing.T) {
	t.Parallel()
	proxy := behindCaddy(t, earlyServer(t).address)
	var two http.Protocols
	two.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &two}}
	t.Cleanup(client.CloseIdleConnections)
	for _, size := range []int{200 << 10, len(upload)} {
		for _, path := range []string{"/401", "/413", "/503"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy+path, bytes.NewReader(upload[:size]))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "https://app.example")
			res, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s: got %v, want an answer", path, err)
			}
			_ = res.Body.Close()
			if got := fmt.Sprint("/", res.StatusCode); got != path || res.Header.Get("Access-Control-Allow-Origin") == "" {
				t.Errorf("got %s %v, want %s that a page can read", got, res.Header, path)
			}
		}
	}
}
