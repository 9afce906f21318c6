package usage

import (
	"cmp"
	"context"
	"time"
)

// Series names a kind of event that is counted.
type Series string

// The series. One with a label is counted separately for each label.
const (
	Minted  Series = "minted"  // access tokens minted by the vendor
	Reused  Series = "reused"  // access tokens reused from the cache
	Failed  Series = "failed"  // requests for an access token that failed
	Refused Series = "refused" // refused calls; the label is the code of the error
	Limited Series = "limited" // calls past a rate limit; the label is the limit
	Saved   Series = "saved"   // saved portfolios; the label is Created or Repeated
	Called  Series = "called"  // single calls to the vendor; the label is the outcome; has a duration
	Took    Series = "took"    // vendor calls by duration; the label is one of BoundOf

	// Synthetic marks the minutes, hours and days with made-up counts of the demo, in
	// whole or in part.
	Synthetic Series = "invented"
)

// The labels of Saved.
const (
	Created  = "created"
	Repeated = "repeated" // the portfolio existed already
)

// Step is the length of the intervals that are counted.
type Step string

// The steps. Intervals are aligned to UTC.
const (
	Minute Step = "minute"
	Hour   Step = "hour"
	Day    Step = "day"
)

// Steps are all steps, shortest first.
var Steps = []Step{Minute, Hour, Day}

// Length is the length of an interval of s; 0 for an unknown step.
func (s Step) Length() time.Duration {
	switch s {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	default:
		return 0
	}
}

// Count is the number of events of one kind in one interval.
type Count struct {
	Step   Step
	At     time.Time // the start of the interval
	Series Series
	Label  string
	N      int64
	Took   time.Duration // the sum of their durations, for series that have one
}

// Compare orders counts by step, time, series and label. Writers of several counts use
// this order, so that they do not deadlock.
func Compare(a, b Count) int {
	return cmp.Or(
		cmp.Compare(a.Step, b.Step), a.At.Compare(b.At), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Label, b.Label))
}

// Store keeps counts. It is safe for concurrent use.
type Store interface {
	// AddCounts adds to the stored counts, all or none. If it fails because the connection
	// was lost, they may have been added.
	AddCounts(ctx context.Context, counts []Count) error
	// Counts reads the counts of step with from <= At < to, by time.
	Counts(ctx context.Context, step Step, from, to time.Time) ([]Count, error)
	// DropCounts deletes the counts of step with At < before.
	DropCounts(ctx context.Context, step Step, before time.Time) error
}
