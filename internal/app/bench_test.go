package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"casbroker/internal/app"
	"casbroker/internal/config"
	"casbroker/internal/secret"
)

// BenchmarkTokenWithManyBlocked measures POST /v1/token of a user who has a token,
// without a network, with no blocked user and with 10,000 others blocked. The two take
// turns, so that other load on the machine affects both.
func BenchmarkTokenWithManyBlocked(b *testing.B) {
	const turn = 100
	none, many := quiet(b), quiet(b)
	block(b, many, 10_000)
	authorization := []string{"Bearer " + bearer(b, "asha")}
	var spent [2][]time.Duration // of each turn
	for i := 0; b.Loop(); i++ {
		for at := range 2 {
			which := (i + at) % 2
			began := time.Now()
			for range turn {
				ask(b, []*app.App{none, many}[which], authorization)
			}
			spent[which] = append(spent[which], time.Since(began))
		}
	}
	fast := func(turns []time.Duration) float64 { // the first decile, with little other load
		slices.Sort(turns)
		return float64(turns[len(turns)/10].Nanoseconds()) / turn
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(fast(spent[0]), "ns/none")
	b.ReportMetric(fast(spent[1]), "ns/10000")
	b.ReportMetric(fast(spent[1])/fast(spent[0]), "ratio")
}

// quiet returns a broker without limits and request log.
func quiet(b *testing.B) *app.App {
	b.Helper()
	settings, _ := settingsFor(b, secret.URL("sqlite:"+filepath.Join(b.TempDir(), "broker.db")), "memory")
	settings.RateLimit.Token, settings.RateLimit.Read, settings.RateLimit.Save = config.Limits{}, config.Limits{}, config.Limits{}
	settings.Log.Level = "error"
	a, err := app.New(b.Context(), settings, app.Options{LogTo: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Close() })
	return a
}

func ask(b *testing.B, a *app.App, authorization []string) {
	b.Helper()
	req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/token", http.NoBody)
	req.Header["Authorization"] = authorization
	answer := httptest.NewRecorder()
	if a.Handler().ServeHTTP(answer, req); answer.Code != http.StatusOK {
		b.Fatal(answer.Code, answer.Body)
	}
}

// block blocks n users.
func block(b *testing.B, a *app.App, n int) {
	b.Helper()
	var all sync.WaitGroup
	for worker := range 64 {
		all.Go(func() {
			for i := worker; i < n; i += 64 {
				if _, err := a.Access().Block(b.Context(), operator, fmt.Sprint("app:blocked", i), "", time.Time{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}
