package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What holds in a soak.
const (
	soakGrowth  = 1.05                  // the last quarter, of the second
	soakSpare   = 5                     // goroutines and files that a broker at rest may have more than before
	soakLatency = 15 * time.Millisecond // p99 of a cached token
)

// restTime is how long brokers without requests may take to end what the requests have begun, and to close
// connections that they no longer use.
const restTime = 2 * time.Minute

// usage is what each broker used: at rest before and after the traffic, and in samples during it.
type usage struct {
	before, after []figuresOf
	samples       [][]figuresOf
}

// atRest measures the brokers without requests: after ten seconds if before is nil, otherwise once they have no more
// goroutines and files than before, or after restTime.
func (t *traffic) atRest(ctx context.Context, s *site, before []figuresOf) []figuresOf {
	t.client.CloseIdleConnections()
	rest := make([]figuresOf, len(s.brokers))
	for i := range s.brokers {
		for end := time.Now().Add(restTime); ; {
			pause(ctx, restTime/12)
			rest[i], _ = s.measure(ctx, i) // without figures the broker is gone, as its requests have shown
			if before == nil || !rest[i].exceeds(before[i]) || ctx.Err() != nil || time.Now().After(end) {
				break
			}
		}
	}
	return rest
}

// exceeds reports whether f has goroutines or files that before did not have.
func (f figuresOf) exceeds(before figuresOf) bool {
	return f.goroutines > before.goroutines+soakSpare || f.files > before.files+soakSpare
}

// watchSite measures each broker every two seconds until the function that it returns is called, which
// returns the samples of each broker.
func watchSite(ctx context.Context, s *site) (stop func() [][]figuresOf) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	samples := make([][]figuresOf, len(s.brokers))
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(2 * time.Second):
			}
			for i := range s.brokers {
				if f, err := s.measure(ctx, i); err == nil {
					samples[i] = append(samples[i], f)
				}
			}
		}
	}()
	return func() [][]figuresOf {
		cancel()
		<-done
		return samples
	}
}

// quarters returns the mean of each quarter of samples.
func quarters(samples []figuresOf) (q [4]figuresOf) {
	for i := range q {
		part := samples[i*len(samples)/4 : (i+1)*len(samples)/4]
		for _, f := range part {
			n := float64(len(part))
			q[i].rss, q[i].heap = q[i].rss+f.rss/n, q[i].heap+f.heap/n
			q[i].goroutines, q[i].files = q[i].goroutines+f.goroutines/n, q[i].files+f.files/n
		}
	}
	return q
}

// judge prints what the brokers used, by quarters of the time, and returns an error if a soak does not hold.
func (p *dayPlan) judge(t *traffic, u usage) error {
	var wrong []error
	fmt.Printf("\n%-10s %-12s %9s %9s %9s %9s %9s %9s\n", "", "quarter", "at rest", "1", "2", "3", "4", "at rest")
	for i, samples := range u.samples {
		name := fmt.Sprint("broker ", i+1)
		q := quarters(samples)
		for _, f := range []struct {
			name  string
			value func(figuresOf) float64
		}{
			{"memory, MB", func(f figuresOf) float64 { return f.rss / (1 << 20) }},
			{"heap, MB", func(f figuresOf) float64 { return f.heap / (1 << 20) }},
			{"goroutines", func(f figuresOf) float64 { return f.goroutines }},
			{"files", func(f figuresOf) float64 { return f.files }},
		} {
			fmt.Printf("%-10s %-12s %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f\n", name, f.name,
				f.value(u.before[i]), f.value(q[0]), f.value(q[1]), f.value(q[2]), f.value(q[3]), f.value(u.after[i]))
		}
		wrong = append(wrong, grown(name, u.before[i], u.after[i], q, len(samples)))
	}
	if !p.soak {
		return nil
	}
	if p99 := t.percentile(cachedToken, 99); p99 > soakLatency {
		wrong = append(wrong, fmt.Errorf("p99 of a cached token was %s, want at most %s", short(p99), soakLatency))
	}
	if n := t.failures(); n > 0 {
		wrong = append(wrong, fmt.Errorf("%d requests failed", n))
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("the soak does not hold:\n%w", err)
	}
	fmt.Println("\nthe soak holds")
	return nil
}

// grown returns an error if a broker used more and more: memory by quarters of the traffic, of which n samples were
// taken, goroutines and files at rest.
func grown(name string, before, after figuresOf, q [4]figuresOf, n int) error {
	switch {
	case n < len(q):
		return fmt.Errorf("%s: only %d samples", name, n)
	case q[3].rss > q[1].rss*soakGrowth:
		return fmt.Errorf("%s: memory grew from %.1f MB in the second quarter to %.1f MB in the last", name, q[1].rss/(1<<20), q[3].rss/(1<<20))
	case after.exceeds(before):
		return fmt.Errorf("%s: at rest it had %.0f goroutines and %.0f files before, and %.0f and %.0f after", name, before.goroutines, before.files, after.goroutines, after.files)
	}
	return nil
}
