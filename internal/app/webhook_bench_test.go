package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// BenchmarkSaveToWebhook measures the time from the answer to a save, of which there are
// 100 a second, to the arrival of its event, on SQLite with memory and on PostgreSQL with
// Redis.
func BenchmarkSaveToWebhook(b *testing.B) {
	for name, urls := range map[string]func(testing.TB) (store, cache secret.URL){
		"sqlite": func(t testing.TB) (secret.URL, secret.URL) { return secret.URL(storetest.SQLite(t)), "memory" },
		"postgres": func(t testing.TB) (secret.URL, secret.URL) {
			return secret.URL(storetest.Postgres(t)), secret.URL(services.OwnRedis(t).URL)
		},
	} {
		b.Run(name, func(b *testing.B) {
			store, cache := urls(b)
			settings, _ := settingsFor(b, store, cache)
			settings.RateLimit, settings.Log.Level = config.RateLimit{}, "error"
			got := receiveWebhooks(b, &settings)
			url := serve(b, settings)
			statement, err := os.ReadFile("../statement/testdata/cdsl_direct.vendor.json")
			if err != nil {
				b.Fatal(err)
			}
			arrived := make(chan map[string]time.Time)
			go func() { arrived <- arrivals(got, b.N) }()
			b.ResetTimer()
			began := time.Now()
			saved := saveSteadily(b, url, string(statement), b.N)
			at := <-arrived
			took := make([]time.Duration, 0, b.N)
			for id, answered := range saved {
				if at[id].IsZero() {
					b.Fatalf("the event of %s did not arrive", id)
				}
				took = append(took, max(at[id].Sub(answered), 0))
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "saves/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// serve runs the program and returns its URL.
func serve(b *testing.B, c config.Config) string {
	b.Helper()
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, c, app.Options{LogTo: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	b.Cleanup(func() {
		cancel()
		<-ended
	})
	return "http://" + l.Addr().String()
}

// saveSteadily saves n statements of as many users, 100 a second, and returns when each
// portfolio was answered.
func saveSteadily(b *testing.B, url, statement string, n int) map[string]time.Time {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	saved := make(map[string]time.Time, n)
	var mu sync.Mutex
	var all sync.WaitGroup
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		all.Go(func() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/v1/portfolios", strings.NewReader(statement))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+bearer(b, fmt.Sprint("user", i)))
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			var p struct{ ID string }
			if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != http.StatusCreated {
				b.Errorf("got status %d, %v", res.StatusCode, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			saved[p.ID] = time.Now()
		})
	}
	all.Wait()
	return saved
}

// arrivals returns when the events of n portfolios arrived.
func arrivals(got <-chan delivered, n int) map[string]time.Time {
	at := make(map[string]time.Time, n)
	for len(at) < n {
		select {
		case d := <-got:
			var m struct {
				Data struct {
					PortfolioID string `json:"portfolio_id"`
				}
			}
			if json.Unmarshal([]byte(d.body), &m) == nil {
				at[m.Data.PortfolioID] = d.at
			}
		case <-time.After(time.Minute):
			return at
		}
	}
	return at
}
