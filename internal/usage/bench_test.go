package usage_test

import (
	"context"
	"testing"
	"time"

	"casbroker/internal/usage"
)

// BenchmarkCounter counts from all processors at once, while another goroutine flushes
// the counter every millisecond.
func BenchmarkCounter(b *testing.B) {
	for name, count := range map[string]func(c *usage.Counter){
		"Token":    func(c *usage.Counter) { c.Token("reused") },
		"Limit":    func(c *usage.Counter) { c.Limit("token-user") },
		"Refuse":   func(c *usage.Counter) { c.Refuse("invalid_token") },
		"Upstream": func(c *usage.Counter) { c.Upstream("ok", 300*time.Millisecond) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := &usage.Counter{Store: discard{}, Now: time.Now}
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for tick := time.Tick(time.Millisecond); ctx.Err() == nil; <-tick {
					_ = c.Flush(ctx)
				}
			}()
			b.RunParallel(func(each *testing.PB) {
				for each.Next() {
					count(c)
				}
			})
			stop()
			<-done
		})
	}
}

// discard is a Store that drops all counts.
type discard struct{ usage.Store }

func (discard) AddCounts(context.Context, []usage.Count) error { return nil }
