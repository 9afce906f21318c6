package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowServer answers its first request when release is called, and all others at once.
func slowServer(t *testing.T) (address string, arrived <-chan struct{}, release func()) {
	t.Helper()
	first, held := make(chan struct{}), make(chan struct{})
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			close(first)
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(`{"code":"teapot"}`))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), first, sync.OnceFunc(func() { close(held) })
}

// ask is a kind of request that wants a status.
func ask(want int) []kind {
	return []kind{{name: cachedToken, share: 1, want: want, make: func(m *mix, server string) (*http.Request, error) {
		return m.request(http.MethodGet, server, "/", "", nil)
	}}}
}

func TestRequestsAreSentWhileOneWaits(t *testing.T) {
	t.Parallel()
	address, arrived, release := slowServer(t)
	traffic := newTraffic(&mix{}, ask(http.StatusTeapot), []string{address})
	done := make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(done)
		traffic.atRate(t.Context(), 200, 250*time.Millisecond)
	}()
	<-arrived
	for traffic.answered() < 49 { // all others
		select {
		case <-done:
			t.Fatal("the time was over before the other requests were sent")
		case <-time.After(time.Millisecond):
		}
	}
	release()
	<-done
	took := time.Since(begin)
	if n := traffic.answered(); n != 50 || traffic.failures() != 0 {
		t.Errorf("got %d answers and %d failures, want 50 and none", n, traffic.failures())
	}
	if longest := traffic.percentile(cachedToken, 100); longest < 200*time.Millisecond || longest > took+took/100 {
		t.Errorf("the longest latency is %s of %s, want that of the first request", longest, took)
	}
}

func TestLatencyCountsFromWhenTheRequestWasDue(t *testing.T) {
	t.Parallel()
	address, _, release := slowServer(t)
	release()
	traffic := newTraffic(&mix{}, ask(http.StatusTeapot), []string{address})
	traffic.send(t.Context(), 0, time.Now().Add(-3*time.Second))
	if got := traffic.percentile(cachedToken, 50); got < 3*time.Second {
		t.Errorf("the latency is %s, want more than 3s", got)
	}
}

func TestUnwantedStatusIsCountedWithItsCode(t *testing.T) {
	t.Parallel()
	address, _, release := slowServer(t)
	release()
	traffic := newTraffic(&mix{}, ask(0), []string{address})
	traffic.send(t.Context(), 0, time.Now())
	if got := traffic.results[0].errors; len(got) != 1 || got["418 teapot"] != 1 {
		t.Errorf("got %v, want one 418 teapot", got)
	}
}

func TestSoakHoldsOnlyIfNothingGrows(t *testing.T) {
	t.Parallel()
	steady := figuresOf{rss: 100 << 20, heap: 50 << 20, goroutines: 100, files: 50}
	quarters := func(first, second, third, last float64) (list []figuresOf) {
		for _, rss := range []float64{first, second, third, last} {
			list = append(list, figuresOf{rss: rss, goroutines: rss, files: rss})
		}
		return list
	}
	for name, c := range map[string]struct {
		samples []figuresOf
		after   figuresOf
		want    string // part of the error; "" for none
	}{
		"steady":     {quarters(50, 100, 100, 100), steady, ""},
		"a little":   {quarters(50, 100, 102, 104), figuresOf{goroutines: 105, files: 55}, ""},
		"few":        {quarters(50, 100, 100, 100)[:3], steady, "only 3 samples"},
		"memory":     {quarters(100, 100, 100, 106), steady, "memory"},
		"goroutines": {quarters(100, 100, 100, 100), figuresOf{goroutines: 106, files: 50}, "goroutines"},
		"files":      {quarters(100, 100, 100, 100), figuresOf{goroutines: 100, files: 56}, "files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := dayPlan{soak: true}
			u := usage{before: []figuresOf{steady}, after: []figuresOf{c.after}, samples: [][]figuresOf{c.samples}}
			err := plan.judge(newTraffic(&mix{}, ask(0), nil), u)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}

func TestSlowTokensEndASoak(t *testing.T) {
	t.Parallel()
	traffic := newTraffic(&mix{}, ask(0), nil)
	traffic.results[0].took(20 * time.Millisecond)
	plan := dayPlan{soak: true}
	if err := plan.judge(traffic, usage{}); err == nil || !strings.Contains(err.Error(), "p99") {
		t.Errorf("got %v, want an error about p99", err)
	}
}

func TestEachKindOfTheMixHasARequest(t *testing.T) {
	t.Parallel()
	jwts, err := tokens(2*mixCallers, 2*mixCallers)
	if err != nil {
		t.Fatal(err)
	}
	m := &mix{jwts: jwts, callers: []string{"token"}, upload: uploadForm{body: []byte("form")}}
	for _, k := range append(readKinds(1000), kinds...) {
		r, err := k.make(m, "127.0.0.1:1")
		if err != nil || k.share <= 0 {
			t.Errorf("%s: %v, share %d", k.name, err, k.share)
			continue
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
}
