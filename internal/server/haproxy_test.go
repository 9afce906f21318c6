package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casbroker/internal/server"
	"casbroker/internal/testkit/services"
)

// behindHAProxy starts HAProxy with config/haproxy.cfg, without TLS, for the brokers at these addresses.
func behindHAProxy(t *testing.T, brokers ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../config/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	lines := ""
	for i, broker := range brokers {
		lines += fmt.Sprintf("    server broker%d %s\n", i, broker)
	}
	bind := regexp.MustCompile(`(?m)^    bind .*$`)
	replica := regexp.MustCompile(`(?m)^    server .*\n`)
	if !bind.Match(text) || !replica.Match(text) {
		t.Fatal("config/haproxy.cfg must have a line for the address and one for a broker")
	}
	return services.HAProxy(t, func(address string) string {
		return bind.ReplaceAllLiteralString(replica.ReplaceAllLiteralString(string(text), lines), "    bind "+address)
	})
}

func TestEarlyAnswerIsHeardBehindHAProxy(t *testing.T) {
	t.Parallel()
	proxy := behindHAProxy(t, earlyServer(t).address)
	for _, size := range []int{200 << 10, len(upload)} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			hearEarlyAnswers(t, proxy, size)
		})
	}
}

// served is an Observer that notes POSTs of a server and good answers of /readyz.
type served struct{ posts, checks chan struct{} }

func (s served) ObserveRequest(route, _ string, status int, _ time.Duration) {
	notes := s.posts
	if route == "/readyz" {
		notes = s.checks
	}
	if status != http.StatusOK || route != "/readyz" && route != "/200" {
		return
	}
	select {
	case notes <- struct{}{}:
	default:
	}
}

// TestNoPostIsLostWhenBrokersBehindAProxyThatChecksRestartOneAfterTheOther stops the second broker
// once the proxy sends requests to the first one again, and has checked it a few times since: a
// check that failed earlier can be heard of later on a busy machine.
func TestNoPostIsLostWhenBrokersBehindAProxyThatChecksRestartOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for name, behind := range map[string]func(t *testing.T, brokers ...string) string{"HAProxy": behindHAProxy, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			restartBothBehind(t, behind)
		})
	}
}

func restartBothBehind(t *testing.T, behind func(t *testing.T, brokers ...string) string) {
	t.Helper()
	limits := generous
	limits.Delay = 1500 * time.Millisecond // more than a few of the proxy's checks
	router := func(o server.Observer) *server.Router {
		r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler), Observer: o})
		r.Mount("", nil, early())
		return r
	}
	first, second := serve(t, nil, router(nil), limits), serve(t, nil, router(nil), limits)
	proxy := behind(t, first.address, second.address)
	n, failed := underLoad(t, proxy,
		func() { first.end(t) },
		func() {
			l, err := server.Listen(t.Context(), first.address, "server.address")
			if err != nil {
				t.Error(err)
				return
			}
			again := served{posts: make(chan struct{}, 1), checks: make(chan struct{}, 1)}
			serve(t, l, router(again), limits)
			<-again.posts
			for range 3 { // one of them may be from before
				<-again.checks
			}
			second.end(t)
		})
	if len(failed) > 0 {
		t.Errorf("%d of %d POSTs failed: %s", len(failed), n+len(failed), strings.Join(slices.Compact(failed), ", "))
	}
}
