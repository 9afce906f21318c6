package gateway_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casbroker/internal/gateway"
	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// BenchmarkGateway compares the gateway, with its checks, its log and its copies of answers
// but without the limiter, to a bare httputil.ReverseProxy in front of the same vendor. Each iteration
// measures one batch of calls through both, so that other load on the machine affects
// both. "of-bare" is the gateway's throughput divided by that of the bare proxy.
func BenchmarkGateway(b *testing.B) {
	for name, size := range map[string]int{"small": 60, "5MB": 5 << 20} {
		b.Run(name, func(b *testing.B) { compare(b, bytes.Repeat([]byte(" "), size)) })
	}
}

const (
	benchClients = 8
	benchCalls   = 400 // of a batch, for small bodies
)

func compare(b *testing.B, body []byte) {
	w := newWorld(b, ok, func(h *gateway.Handler) {
		h.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
		h.Observe = func(string, string, time.Duration) {}
		h.Captures = noCaptures{}
	})
	vendor := httptest.NewServer(http.HandlerFunc(ok))
	b.Cleanup(vendor.Close)
	base, err := url.Parse(vendor.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(base) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	})
	b.Cleanup(bare.Close)

	calls := benchCalls
	if len(body) > 1<<20 {
		calls = 5 * benchClients
	}
	var bareTook, gatewayTook time.Duration
	batch(b, bare.URL+"/v4/smart/parse", body, calls) // opens the connections
	batch(b, w.url+"/gateway/v4/smart/parse", body, calls)
	for b.Loop() {
		bareTook += batch(b, bare.URL+"/v4/smart/parse", body, calls)
		gatewayTook += batch(b, w.url+"/gateway/v4/smart/parse", body, calls)
	}
	each := time.Duration(b.N * calls)
	b.ReportMetric(float64(bareTook)/float64(gatewayTook), "of-bare")
	b.ReportMetric(float64((gatewayTook-bareTook)*benchClients/each)/1000, "added-µs/call")
	if len(body) > 1<<20 {
		b.ReportMetric(float64(len(body))/1e6/(gatewayTook/each).Seconds(), "MB/s")
	}
	b.ReportMetric(0, "ns/op")
}

// noCaptures drops the copies, whose saving is measured by the store's benchmark.
type noCaptures struct{}

func (noCaptures) Begin(string, string) (func([]byte), func(error)) {
	return func([]byte) {}, func(error) {}
}

var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients, WriteBufferSize: 64 << 10}}

// batch posts body several times from benchClients clients and returns how long it took.
func batch(b *testing.B, url string, body []byte, calls int) time.Duration {
	b.Helper()
	var clients sync.WaitGroup
	start := time.Now()
	for range benchClients {
		clients.Go(func() {
			for range calls / benchClients {
				postBody(b, url, body)
			}
		})
	}
	clients.Wait()
	return time.Since(start)
}

func postBody(b *testing.B, url string, body []byte) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("X-Api-Key", valid)
	r.Header.Set("Content-Type", "application/json")
	res, err := benchClient.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Errorf("got %d, %v", res.StatusCode, err)
	}
	_ = res.Body.Close()
}

// BenchmarkCapture measures how much longer a parse call takes because its copy is stored
// before its end is passed on: one caller at a time, an answer of 60 kB.
func BenchmarkCapture(b *testing.B) {
	answer := []byte(`{"text":"` + strings.Repeat("a statement ", 5000) + `"}`)
	stores := map[string]func() *store.DB{
		"without":    func() *store.DB { return nil },
		"SQLite":     func() *store.DB { return storetest.New(b) },
		"PostgreSQL": func() *store.DB { return storetest.Open(b, services.Postgres(b), storetest.NewBox(b)) },
	}
	for name, open := range stores {
		b.Run(name, func(b *testing.B) {
			db := open()
			w := newWorld(b, func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				rw.Header().Set("Content-Type", "application/json")
				_, _ = rw.Write(answer)
			}, func(h *gateway.Handler) {
				h.Captures = noCaptures{}
				if db != nil {
					h.Captures = keepOnly{db}
				}
			})
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				postBody(b, w.url+"/gateway/v4/smart/parse", []byte("{}"))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// keepOnly stores copies and saves none.
type keepOnly struct{ db *store.DB }

func (k keepOnly) Begin(subject, _ string) (func([]byte), func(error)) {
	c := &portfolio.Captures{Store: k.db, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	keep, _ := c.Begin(subject, "")
	return keep, func(error) {}
}
