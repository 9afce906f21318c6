package usage

import (
	"sync"
	"time"
)

// Counter counts what happens, in memory until Flush writes it. Each thing belongs
// to the minute that Now tells when it is counted, not to that of the next Flush:
// so the counts are right to the second at the turn of an hour or day, and stay so
// when the database is away for long. A process that is killed takes along what was
// not written.
//
// Book and Now are required; Now is not before 1970. It is safe for concurrent use
// and must not be copied. Only Upstream takes a lock, and whatever comes as the
// first in its minute.
type Counter struct {
	Book Book
	Now  func() time.Time

	minted, reused, failed, created, repeated cell
	refused, limited                          family

	mu      sync.Mutex
	waiting map[slot]sum // of minutes that are over, and of Upstream

	flushing  sync.Mutex
	unwritten map[key]sum // held by flushing
}

// slot is what is counted within one minute.
type slot struct {
	at     minute
	series Series
	label  string
}

// sum is how often something was done, and how long all of it took.
type sum struct {
	n    int64
	took time.Duration
}

// maxSlots bounds what is counted apart between two flushes, whatever comes; the
// broker's own series and labels need about a hundred.
const maxSlots = 1000

// Token counts one request for an access token that ended as "minted", "reused" or
// "failed"; what ended otherwise is counted elsewhere.
func (c *Counter) Token(outcome string) {
	switch outcome {
	case "minted":
		c.count(Minted, "", &c.minted)
	case "reused":
		c.count(Reused, "", &c.reused)
	case "failed":
		c.count(Failed, "", &c.failed)
	}
}

// Refuse counts one call that was turned away with the error called code.
func (c *Counter) Refuse(code string) {
	l := c.refused.of(code)
	c.count(Refused, l.label, &l.cell)
}

// Limit counts one call past the limit called rule.
func (c *Counter) Limit(rule string) {
	l := c.limited.of(rule)
	c.count(Limited, l.label, &l.cell)
}

// Save counts one portfolio that was saved; created is false when it was there already.
func (c *Counter) Save(created bool) {
	if created {
		c.count(Saved, Created, &c.created)
		return
	}
	c.count(Saved, Repeated, &c.repeated)
}

// Upstream counts one call to the vendor that took d and ended as outcome: "ok", or
// what went wrong. How long "canceled" and "breaker_open" took says nothing of the
// vendor and is not looked at.
func (c *Counter) Upstream(outcome string, d time.Duration) {
	at := c.minute()
	if !timed(outcome) {
		c.keep(slot{at, Called, outcome}, sum{n: 1})
		return
	}
	c.keep(slot{at, Called, outcome}, sum{1, d})
	c.keep(slot{at, Took, BoundOf(d)}, sum{n: 1})
}

func (c *Counter) minute() minute { return minute(c.Now().Unix() / 60) } //nolint:gosec // enough until the year 10136

// count counts one in a cell, and keeps what it had of an earlier minute.
func (c *Counter) count(series Series, label string, in *cell) {
	if at, n := in.add(c.minute()); n > 0 {
		c.keep(slot{at, series, label}, sum{n: n})
	}
}

// keep adds s to what waits for the next flush.
func (c *Counter) keep(at slot, s sum) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = map[slot]sum{}
	}
	have, ok := c.waiting[at]
	if !ok && len(c.waiting) >= maxSlots {
		at.label = labelOther
		have = c.waiting[at]
	}
	c.waiting[at] = sum{have.n + s.n, have.took + s.took}
}
