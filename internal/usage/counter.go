package usage

import (
	"sync"
	"time"
)

const (
	// maxKeys bounds the distinct counts between two flushes; the broker's own series and
	// labels need about a hundred.
	maxKeys = 1000
	// otherLabel is counted instead of new labels past maxKeys.
	otherLabel = "other"
)

// Counter counts events in memory until Flush writes them. Counts that were not flushed
// are lost if the process is killed. Store and Now are required; Now is not before 1970.
// It is safe for concurrent use and must not be copied.
type Counter struct {
	Store Store
	Now   func() time.Time

	mu     sync.Mutex
	counts map[minuteKey]total // since the last Flush

	flushing  sync.Mutex
	unwritten map[key]total // held by flushing
}

// minuteKey identifies a count within one minute.
type minuteKey struct {
	minute int64 // since 1970
	series Series
	label  string
}

// total is a number of events and the sum of their durations.
type total struct {
	n    int64
	took time.Duration
}

func (t total) plus(other total) total { return total{t.n + other.n, t.took + other.took} }

// Token counts a request for an access token with the outcome "minted", "reused" or
// "failed". Other outcomes are counted by Refuse or Limit.
func (c *Counter) Token(outcome string) {
	switch series := Series(outcome); series {
	case Minted, Reused, Failed:
		c.add(series, "", 0)
	}
}

// Refuse counts a call that was refused with the error code.
func (c *Counter) Refuse(code string) { c.add(Refused, code, 0) }

// Limit counts a call past the limit called rule.
func (c *Counter) Limit(rule string) { c.add(Limited, rule, 0) }

// Save counts a saved portfolio; created is false if it existed already.
func (c *Counter) Save(created bool) {
	label := Repeated
	if created {
		label = Created
	}
	c.add(Saved, label, 0)
}

// Upstream counts a call to the vendor that took d and ended as outcome: "ok", or the kind
// of failure. The durations of "canceled" and "breaker_open" are ignored, since they say
// nothing about the vendor.
func (c *Counter) Upstream(outcome string, d time.Duration) {
	if !timed(outcome) {
		c.add(Called, outcome, 0)
		return
	}
	c.add(Called, outcome, d)
	c.add(Took, BoundOf(d), 0)
}

// add counts one event that took d.
func (c *Counter) add(series Series, label string, d time.Duration) {
	k := minuteKey{c.Now().Unix() / 60, series, label}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[minuteKey]total{}
	}
	old, ok := c.counts[k]
	if !ok && len(c.counts) >= maxKeys {
		k.label = otherLabel
		old = c.counts[k]
	}
	c.counts[k] = old.plus(total{1, d})
}

// take returns the counts since its last call.
func (c *Counter) take() map[minuteKey]total {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	c.counts = nil
	return counts
}
