// Package clock compares the clock of this machine with those of the services that the
// broker uses.
package clock

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// The services with a clock.
const (
	Database = "database"
	Redis    = "redis"
	Vendor   = "vendor"
)

// Bounds of the difference between two clocks. Past maxDifference, tokens and JWTs are taken
// for expired, or not valid yet, that are not.
const (
	maxDifference  = 30 * time.Second
	warnDifference = 5 * time.Second
)

const (
	// nearTTL is how long a reading of the database or Redis counts, which are read every
	// few seconds.
	nearTTL = time.Minute
	// vendorTTL is how long a reading of the vendor counts, which is made with each answer.
	vendorTTL = 10 * time.Minute
	// vendorRetry is the age at which a reading of the vendor that stops this replica is made
	// again.
	vendorRetry = 30 * time.Second
	// maxRoundTrip is the longest time between question and answer for a reading that counts.
	maxRoundTrip = 10 * time.Second
)

// Comparison has the latest readings of other clocks. Now is required. It is safe for
// concurrent use and must not be copied.
type Comparison struct {
	Now     func() time.Time
	Log     *slog.Logger                              // nil discards
	Observe func(service string, ahead time.Duration) // called with each reading; may be nil

	mu       sync.Mutex
	readings map[string]reading
	warned   string // what the last warning said
}

// reading is what one service said.
type reading struct {
	ahead time.Duration // how far our clock is ahead of that of the service; negative if behind
	error time.Duration // by which ahead may be wrong, in both directions
	at    time.Time
}

// beyond reports whether the clocks surely differ by more than d.
func (r reading) beyond(d time.Duration) bool { return r.ahead.Abs()-r.error > d }

// Difference is the error of a clock that is wrong.
type Difference struct {
	Service string
	Ahead   time.Duration // of the clock of this machine; negative if it is behind
	Warning bool          // the broker still works
}

// Error says what differs, and what to do.
func (d *Difference) Error() string {
	word := "ahead of"
	if d.Ahead < 0 {
		word = "behind"
	}
	return fmt.Sprintf("The clock of this machine is %s %s that of the %s; synchronize it (NTP).", d.Ahead.Abs().Round(time.Second), word, d.Service)
}

// Read notes what a service said is the time. It was asked at asked, and its answer is
// precise to precision: theirs may be that much too early. The answer has just come.
func (c *Comparison) Read(service string, theirs, asked time.Time, precision time.Duration) {
	now := c.Now()
	took := now.Sub(asked)
	if took < 0 || took > maxRoundTrip {
		return
	}
	r := reading{
		ahead: asked.Add(took / 2).Sub(theirs.Add(precision / 2)), error: (took + precision) / 2, at: now,
	}
	c.mu.Lock()
	if c.readings == nil {
		c.readings = map[string]reading{}
	}
	c.readings[service] = r
	c.mu.Unlock()
	if c.Observe != nil {
		c.Observe(service, r.ahead)
	}
	c.warn()
}

// current returns the readings that still count. That of the vendor does only if there is no
// other: the clocks of the database and Redis are nearer.
func (c *Comparison) current() map[string]reading {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	list := maps.Clone(c.readings)
	maps.DeleteFunc(list, func(service string, r reading) bool {
		ttl := nearTTL
		if service == Vendor {
			ttl = vendorTTL
		}
		return now.Sub(r.at).Abs() > ttl
	})
	return list
}

// Known reports whether a reading counts.
func (c *Comparison) Known() bool { return len(c.current()) > 0 }

// Ready returns a Difference if the clock of this machine is wrong. The vendor alone does not
// make it so if the database or Redis agree with it: then it is a Warning.
func (c *Comparison) Ready(context.Context) error {
	if d := c.worst(); d != nil {
		return d
	}
	return nil
}

func (c *Comparison) worst() *Difference {
	list := c.current()
	var worst *Difference
	for _, service := range slices.Sorted(maps.Keys(list)) {
		r := list[service]
		alone := service != Vendor || len(list) == 1
		d := &Difference{Service: service, Ahead: r.ahead, Warning: !alone || !r.beyond(maxDifference)}
		if r.beyond(warnDifference) && (worst == nil || worst.Warning && !d.Warning) {
			worst = d
		}
	}
	return worst
}

// warn logs a difference when it begins, and when it ends.
func (c *Comparison) warn() {
	d := c.worst()
	text := ""
	if d != nil {
		text = fmt.Sprint(d.Service, d.Warning)
	}
	c.mu.Lock()
	before := c.warned
	c.warned = text
	c.mu.Unlock()
	log := cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	switch {
	case text == before:
	case d == nil:
		log.Info("the clock is right again")
	case d.Warning:
		log.Warn("the clock differs", "service", d.Service, "ahead", d.Ahead.String())
	default:
		log.Error("the clock is wrong, so this replica is not ready", "service", d.Service, "ahead", d.Ahead.String())
	}
}

// AskVendor reports whether the vendor's clock should be read again: by what it said a while
// ago this replica is not ready, and so it gets no requests that would ask the vendor.
func (c *Comparison) AskVendor() bool {
	d := c.worst()
	if d == nil || d.Warning || d.Service != Vendor {
		return false
	}
	return c.Now().Sub(c.current()[Vendor].at) >= vendorRetry
}

// IsWarning reports whether err is a Difference with which the broker still works.
func IsWarning(err error) bool {
	d, ok := err.(*Difference) //nolint:errorlint // as Ready returns it
	return ok && d.Warning
}
