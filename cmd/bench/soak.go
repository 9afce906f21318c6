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
	soakSpare   = 5                     // goroutines and files that may come and go
	soakLatency = 15 * time.Millisecond // p99 of a cached token
)

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

// judge prints how the brokers were by quarters of the time, and returns an error if a soak does not hold.
func (p *dayPlan) judge(t *traffic, samples [][]figuresOf) error {
	var wrong []error
	fmt.Printf("\n%-10s %-12s %9s %9s %9s %9s\n", "", "quarter", "1", "2", "3", "4")
	for i, list := range samples {
		if len(list) < 4 {
			wrong = append(wrong, fmt.Errorf("broker %d: only %d samples", i+1, len(list)))
			continue
		}
		q := quarters(list)
		for _, f := range []struct {
			name  string
			value func(figuresOf) float64
			spare float64
		}{
			{"memory, MB", func(f figuresOf) float64 { return f.rss / (1 << 20) }, 0},
			{"heap, MB", func(f figuresOf) float64 { return f.heap / (1 << 20) }, -1},
			{"goroutines", func(f figuresOf) float64 { return f.goroutines }, soakSpare},
			{"files", func(f figuresOf) float64 { return f.files }, soakSpare},
		} {
			fmt.Printf("%-10s %-12s %9.1f %9.1f %9.1f %9.1f\n", fmt.Sprint("broker ", i+1), f.name, f.value(q[0]), f.value(q[1]), f.value(q[2]), f.value(q[3]))
			if second, last := f.value(q[1]), f.value(q[3]); f.spare >= 0 && last > second*soakGrowth+f.spare {
				wrong = append(wrong, fmt.Errorf("broker %d: %s grew from %.1f in the second quarter to %.1f in the last", i+1, f.name, second, last))
			}
		}
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
