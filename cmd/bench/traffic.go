package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	inFlight   = 2000             // requests at once; later ones wait, which counts as their latency
	longest    = time.Minute      // latency that is measured
	warmUp     = 5 * time.Second  // at the beginning, which does not count
	answerTime = 30 * time.Second // after which a request has failed
	idleTime   = 5 * time.Second  // after which connections that a stall has opened are closed
)

// traffic sends requests of a mix to servers in turn, and measures them.
type traffic struct {
	mix     *mix
	kinds   []kind
	servers []string
	client  *http.Client
	next    atomic.Int64 // server
	results []result     // of each kind
}

// result are the latencies and the errors of one kind of request.
type result struct {
	lock   sync.Mutex
	times  *hdrhistogram.Histogram // microseconds
	errors map[string]int          // by status and code
}

func newTraffic(m *mix, list []kind, servers []string) *traffic {
	t := &traffic{mix: m, kinds: list, servers: servers, client: &http.Client{
		Timeout: answerTime, Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, IdleConnTimeout: idleTime, DisableCompression: true},
	}}
	t.reset()
	return t
}

// reset forgets what was measured.
func (t *traffic) reset() {
	t.results = make([]result, len(t.kinds))
	for i := range t.results {
		t.results[i] = result{times: hdrhistogram.New(1, longest.Microseconds(), 3), errors: map[string]int{}}
	}
}

// atRate sends requests at a rate, whether the answers keep up or not. The latency of each counts from
// when it was due, so that those that wait for slow ones are not left out.
func (t *traffic) atRate(ctx context.Context, perSecond float64, length time.Duration) {
	var all sync.WaitGroup
	places := make(chan struct{}, inFlight)
	begin := time.Now()
	for i := 0; ; i++ {
		after := time.Duration(float64(i) / perSecond * float64(time.Second))
		if after >= length || ctx.Err() != nil {
			break
		}
		due := begin.Add(after)
		pause(ctx, time.Until(due))
		places <- struct{}{}
		all.Go(func() {
			t.send(ctx, t.pick(), due)
			<-places
		})
	}
	all.Wait()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// asFastAsPossible sends requests on so many connections, each after the answer before, and returns
// how many were answered in a second.
func (t *traffic) asFastAsPossible(ctx context.Context, connections int, length time.Duration) float64 {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	var done atomic.Int64
	begin := time.Now()
	for range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				if t.send(ctx, t.pick(), time.Now()) {
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(begin).Seconds()
}

// pick returns the number of a kind by its share.
func (t *traffic) pick() int {
	all := 0
	for _, k := range t.kinds {
		all += k.share
	}
	n := rand.IntN(all) //nolint:gosec // no secret
	for i, k := range t.kinds {
		if n -= k.share; n < 0 {
			return i
		}
	}
	return 0
}

// send sends a request of a kind that was due at due, and reports whether it was answered.
func (t *traffic) send(ctx context.Context, number int, due time.Time) (answered bool) {
	k, r := &t.kinds[number], &t.results[number]
	server := t.servers[int(t.next.Add(1))%len(t.servers)]
	request, err := k.make(t.mix, server)
	if err != nil {
		r.fail(err.Error())
		return false
	}
	answer, err := t.client.Do(request.WithContext(ctx))
	if err != nil {
		if ctx.Err() == nil {
			r.fail("no answer")
		}
		return false
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	switch {
	case err != nil:
		if ctx.Err() == nil {
			r.fail("half an answer")
		}
		return false
	case answer.StatusCode != k.want && (k.want != 0 || answer.StatusCode/100 != 2):
		r.fail(codeOf(answer.StatusCode, body))
	}
	r.took(time.Since(due))
	return true
}

// codeOf names an error answer.
func codeOf(status int, body []byte) string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &problem)
	return strconv.Itoa(status) + " " + problem.Code
}

func (r *result) fail(code string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.errors[code]++
}

func (r *result) took(d time.Duration) {
	r.lock.Lock()
	defer r.lock.Unlock()
	_ = r.times.RecordValue(min(d, longest).Microseconds())
}

// answered returns the number of answers of all kinds.
func (t *traffic) answered() (n int64) {
	for i := range t.results {
		r := &t.results[i]
		r.lock.Lock()
		n += r.times.TotalCount()
		r.lock.Unlock()
	}
	return n
}

// failures returns the number of errors of all kinds.
func (t *traffic) failures() (n int) {
	for i := range t.results {
		for _, count := range t.results[i].errors {
			n += count
		}
	}
	return n
}

// percentile returns a percentile of the latencies of a kind.
func (t *traffic) percentile(name string, percent float64) time.Duration {
	i := slices.IndexFunc(t.kinds, func(k kind) bool { return k.name == name })
	return time.Duration(t.results[i].times.ValueAtQuantile(percent)) * time.Microsecond
}

// report prints a table of what was measured in a time.
func (t *traffic) report(length time.Duration) {
	fmt.Printf("%-26s %10s %9s %9s %9s %9s  %s\n", "", "requests/s", "p50", "p95", "p99", "longest", "errors")
	for i, k := range t.kinds {
		r := &t.results[i]
		at := func(percent float64) string {
			return short(time.Duration(r.times.ValueAtQuantile(percent)) * time.Microsecond)
		}
		fmt.Printf("%-26s %10.1f %9s %9s %9s %9s ", k.name, float64(r.times.TotalCount())/length.Seconds(), at(50), at(95), at(99), at(100))
		for code, n := range r.errors {
			fmt.Printf(" %d × %s", n, code)
		}
		fmt.Println()
	}
}
