package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// garbage is how much of it may gather before the collector runs, in bytes: the
// broker is to stay small beside the app that it serves. What it keeps in mass lies
// in rings that the collector need not look into, so running often costs little.
const garbage = 8 << 20

// The bounds of the collector's pace, in percent of what is live (GOGC). Measured
// on POST /v1/token, little is gained past 400. Below 40 a large heap, such as that
// of many large payloads, would cost more than it saves.
const (
	eagerest = 40
	laziest  = 400
)

// collector sets the pace of the garbage collector anew after each of its runs. A
// memory limit would keep the program small too, but slow it down when more than
// that is truly needed.
type collector struct {
	stopped atomic.Bool
	percent int
	live    []metrics.Sample
}

// paceCollector starts to set the pace, and returns what puts things back. An
// operator who sets GOGC or GOMEMLIMIT knows better, and nothing is done then.
func paceCollector() (stop func() error) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" { //nolint:forbidigo // the Go runtime's settings, not ours
		return func() error { return nil }
	}
	c := &collector{percent: eagerest, live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	before := debug.SetGCPercent(eagerest)
	c.afterNext()
	return func() error {
		c.stopped.Store(true)
		debug.SetGCPercent(before)
		return nil
	}
}

// afterNext lets pace run once the collector has run.
func (c *collector) afterNext() {
	type witness struct{ _ *byte } // with a pointer, or it would share its memory with others
	runtime.SetFinalizer(&witness{}, func(*witness) {
		if !c.stopped.Load() {
			c.pace()
			c.afterNext()
		}
	})
}

func (c *collector) pace() {
	metrics.Read(c.live)
	live := max(c.live[0].Value.Uint64(), 1)
	percent := int(min(max(garbage*100/live, eagerest), laziest))
	if percent != c.percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}
