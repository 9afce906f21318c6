package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"casbroker/internal/server"
	"casbroker/internal/testkit/services"
)

// underLoad sends POSTs to proxy from 8 callers during the steps, with 100 POSTs or more before
// each and after the last, and returns how many were answered and what the others got.
func underLoad(t *testing.T, proxy string, steps ...func()) (answered int, failed []string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	begun := make(chan struct{}, 1000)
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy+"/200", strings.NewReader("a body"))
				if err != nil {
					t.Error(err)
					return
				}
				result := ""
				if res, err := client.Do(req); err != nil {
					result = err.Error()
				} else {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					if result = res.Status; res.StatusCode == 200 {
						result = ""
					}
				}
				mu.Lock()
				if answered++; result != "" {
					answered--
					failed = append(failed, result)
				}
				mu.Unlock()
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for _, step := range append(steps, end) {
		for len(begun) > 0 {
			<-begun
		}
		for range 100 {
			<-begun
		}
		step()
	}
	all.Wait()
	return answered, failed
}

func TestNoPostIsLostWhenABrokerBehindNginxStops(t *testing.T) {
	t.Parallel()
	limits := generous
	limits.Delay = 300 * time.Millisecond
	for name, conf := range map[string]func(t *testing.T, address string, brokers ...string) string{
		"keepalive": recipe,
		"plain": func(_ *testing.T, address string, brokers ...string) string {
			return "upstream brokers { server " + strings.Join(brokers, "; server ") + "; }\n" + asItComes(address, "brokers")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers := make([]*running, 2)
			for i := range brokers {
				r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler)})
				r.Mount("", nil, early())
				brokers[i] = serve(t, nil, r, limits)
			}
			proxy := services.Nginx(t, func(address string) string {
				return conf(t, address, brokers[0].address, brokers[1].address)
			})
			if n, failed := underLoad(t, proxy, func() { brokers[0].end(t) }); len(failed) > 0 {
				t.Errorf("%d of %d POSTs failed: %q", len(failed), n+len(failed), failed)
			}
		})
	}
}

// TestNoPostIsLostWhenBrokersBehindNginxRestartOneAfterTheOther stops the second broker as soon as the
// first one serves again. nginx must not avoid the first one any more when the second one is gone.
func TestNoPostIsLostWhenBrokersBehindNginxRestartOneAfterTheOther(t *testing.T) {
	t.Parallel()
	start := func(l net.Listener, delay time.Duration) *running {
		r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler)})
		r.Mount("", nil, early())
		limits := generous
		limits.Delay = delay
		return serve(t, l, r, limits)
	}
	const drainDelay = 2 * time.Second // the default of server.drain_delay
	first, second := start(nil, 100*time.Millisecond), start(nil, drainDelay)
	proxy := services.Nginx(t, func(address string) string { return recipe(t, address, first.address, second.address) })
	n, failed := underLoad(t, proxy,
		func() { first.end(t) },
		func() {
			l, err := server.Listen(t.Context(), first.address, "server.address")
			if err != nil {
				t.Error(err)
				return
			}
			start(l, 0)
			second.end(t)
		})
	if len(failed) > 0 {
		t.Errorf("%d of %d POSTs failed: %q", len(failed), n+len(failed), slices.Compact(failed))
	}
}

func TestAnswersCloseTheirConnectionsFromTheSignalOn(t *testing.T) {
	t.Parallel()
	limits := generous
	limits.Delay = time.Minute
	r := server.NewRouter(server.Options{Log: slog.New(slog.DiscardHandler)})
	entered, finish := make(chan struct{}), make(chan struct{})
	routes := early()
	routes["/slow"] = func(c echo.Context) error {
		close(entered)
		<-finish
		return c.String(200, "done")
	}
	r.Mount("", nil, routes)
	s := serve(t, nil, r, limits)
	closes := make(chan bool, 1)
	go func() {
		res, err := sendAll(t, s.address, "/slow", "Content-Length: 0\r\n", nil)
		closes <- err == nil && res.Close
	}()
	<-entered
	if res, err := sendAll(t, s.address, "/200", "Content-Length: 0\r\n", nil); err != nil || res.Close {
		t.Errorf("before the signal: got %v, %v, want an open connection", res, err)
	}
	s.stop()
	for ready := true; ready; { // until it says that it is stopping
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		ready = w.Code == 200
	}
	for _, path := range []string{"/200", "/401"} {
		if res, err := sendAll(t, s.address, path, "Content-Length: 0\r\n", nil); err != nil || !res.Close {
			t.Errorf("%s after the signal: got %v, %v, want Connection: close", path, res, err)
		}
	}
	close(finish)
	if !<-closes {
		t.Error("the answer to a request from before the signal does not close its connection")
	}
}
