package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// batchSize is how many counts are written in one transaction. A flush has fewer,
	// unless the database was down.
	batchSize = 1000
	// maxUnwritten bounds the counts that wait while the database is down, at some 100
	// bytes each: all minutes of several hours, and hours and days of a longer time.
	maxUnwritten = 20_000
	// closeTimeout bounds the last write.
	closeTimeout = 5 * time.Second
)

// key identifies a count.
type key struct {
	step   Step
	at     time.Time
	series Series
	label  string
}

// Flush adds the counts since the last Flush to the stored minutes, hours and days. It
// should be called every few seconds. Counts that could not be written wait for the next
// Flush. If the connection was lost before the database confirmed a write, that write is
// repeated, so it may be counted twice but is never missing: an operator who looks for a
// flood or a failure is better served by too much.
func (c *Counter) Flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.collect()
	for batch := range slices.Chunk(c.unwrittenCounts(), batchSize) {
		if err := c.Store.AddCounts(ctx, batch); err != nil {
			return fmt.Errorf("%d usage counts wait: %w", len(c.unwritten), err)
		}
		for _, n := range batch {
			delete(c.unwritten, keyOf(n))
		}
	}
	return nil
}

// Close flushes the remaining counts. Nothing may be counted afterwards.
func (c *Counter) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return c.Flush(ctx)
}

// collect moves the counts of minutes to unwritten, where they count for hours and days too.
func (c *Counter) collect() {
	if c.unwritten == nil {
		c.unwritten = map[key]total{}
	}
	for m, t := range c.take() {
		at := time.Unix(m.minute*60, 0).UTC()
		for _, step := range Steps {
			k := key{step, at.Truncate(step.Length()), m.series, m.label}
			c.unwritten[k] = c.unwritten[k].plus(t)
		}
	}
	c.dropExcess()
}

// dropExcess drops what is past maxUnwritten: the oldest counts of the shortest step first.
func (c *Counter) dropExcess() {
	if len(c.unwritten) <= maxUnwritten {
		return
	}
	list := c.unwrittenCounts()
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Step.Length(), a.Step.Length()), b.At.Compare(a.At), Compare(a, b))
	})
	for _, n := range list[maxUnwritten:] {
		delete(c.unwritten, keyOf(n))
	}
}

// unwrittenCounts lists unwritten in the order of Compare.
func (c *Counter) unwrittenCounts() []Count {
	list := make([]Count, 0, len(c.unwritten))
	for k, t := range c.unwritten {
		list = append(list, Count{Step: k.step, At: k.at, Series: k.series, Label: k.label, N: t.n, Took: t.took})
	}
	slices.SortFunc(list, Compare)
	return list
}

func keyOf(n Count) key { return key{n.Step, n.At, n.Series, n.Label} }
