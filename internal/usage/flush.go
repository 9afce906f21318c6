package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// batch is how many counts are written in one transaction. A flush has fewer,
	// unless the database was away.
	batch = 1000
	// maxUnwritten bounds what waits for a database that is away, at some 100 bytes
	// each: all minutes of several hours. Of a longer time hours and days are kept.
	maxUnwritten = 20_000
	// closeTime bounds the last write.
	closeTime = 5 * time.Second
)

// key is what a count is of.
type key struct {
	step   Step
	at     time.Time
	series Series
	label  string
}

// Flush adds what was counted to the Book, to minutes, hours and days at once. It is
// to be called every few seconds. When the Book cannot be written, what it did not
// take waits for the next Flush; when a connection was lost before it said whether
// it took it, it is given the same again. So one flush may then be counted twice,
// but is never missing: an operator who looks for a flood or a failure is better
// off with too much.
func (c *Counter) Flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.collect()
	for some := range slices.Chunk(c.counts(), batch) {
		if err := c.Book.AddCounts(ctx, some); err != nil {
			return fmt.Errorf("%d usage counts wait: %w", len(c.unwritten), err)
		}
		for _, n := range some {
			delete(c.unwritten, key{n.Step, n.At, n.Series, n.Label})
		}
	}
	return nil
}

// Close writes what waits, once nobody counts any more.
func (c *Counter) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return c.Flush(ctx)
}

// collect moves all that was counted to what is to be written.
func (c *Counter) collect() {
	c.drain(Minted, "", &c.minted)
	c.drain(Reused, "", &c.reused)
	c.drain(Failed, "", &c.failed)
	c.drain(Saved, Created, &c.created)
	c.drain(Saved, Repeated, &c.repeated)
	for _, l := range c.refused.all() {
		c.drain(Refused, l.label, &l.cell)
	}
	for _, l := range c.limited.all() {
		c.drain(Limited, l.label, &l.cell)
	}
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if c.unwritten == nil {
		c.unwritten = map[key]sum{}
	}
	for of, s := range waiting {
		at := time.Unix(int64(of.at)*60, 0).UTC()
		for _, step := range Steps {
			k := key{step, at.Truncate(step.Length()), of.series, of.label}
			have := c.unwritten[k]
			c.unwritten[k] = sum{have.n + s.n, have.took + s.took}
		}
	}
	c.bound()
}

// drain empties a cell into what waits.
func (c *Counter) drain(series Series, label string, from *cell) {
	if at, n := from.drain(); n > 0 {
		c.keep(slot{at, series, label}, sum{n: n})
	}
}

// bound drops what is too much to wait: of the shortest stretches the oldest.
func (c *Counter) bound() {
	if len(c.unwritten) <= maxUnwritten {
		return
	}
	list := c.counts()
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Step.Length(), a.Step.Length()), b.At.Compare(a.At), Compare(a, b))
	})
	for _, n := range list[maxUnwritten:] {
		delete(c.unwritten, key{n.Step, n.At, n.Series, n.Label})
	}
}

// counts lists what is to be written, in the order of Compare.
func (c *Counter) counts() []Count {
	list := make([]Count, 0, len(c.unwritten))
	for k, s := range c.unwritten {
		list = append(list, Count{Step: k.step, At: k.at, Series: k.series, Label: k.label, N: s.n, Took: s.took})
	}
	slices.SortFunc(list, Compare)
	return list
}
