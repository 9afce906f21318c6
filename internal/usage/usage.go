// Package usage counts what the broker does, by minute, hour and day, so that its
// operators see how it was at any time and not only how it is. All replicas add to
// the same counts. Keeping the counts is asked of the store.
package usage

import (
	"cmp"
	"context"
	"time"
)

// Series is what is counted.
type Series string

// The series. Those with a label are counted apart for each kind of them.
const (
	Minted  Series = "minted"  // access tokens made by the vendor
	Reused  Series = "reused"  // access tokens given again
	Failed  Series = "failed"  // access tokens that could not be had
	Refused Series = "refused" // calls that were turned away; the label is the code of the error
	Limited Series = "limited" // calls past a limit; the label is the limit
	Saved   Series = "saved"   // portfolios; the label is Created or Repeated
	Called  Series = "called"  // single calls to the vendor; the label is how they ended; measured
	Took    Series = "took"    // those of them that came to an end, by how long they took; the label is one of BoundOf

	// Invented marks the minutes, hours and days that a demo has made up, wholly or
	// in part.
	Invented Series = "invented"
)

// The labels of Saved.
const (
	Created  = "created"
	Repeated = "repeated" // it was there already
)

// Step is how long the stretches are that are counted.
type Step string

// The steps. All begin at whole ones of UTC.
const (
	Minute Step = "minute"
	Hour   Step = "hour"
	Day    Step = "day"
)

// Steps are all steps, shortest first.
var Steps = []Step{Minute, Hour, Day}

// Length is how long a stretch of s is; 0 when there is no such step.
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

// Count is how often something was done in one stretch of time.
type Count struct {
	Step   Step
	At     time.Time // when the stretch began
	Series Series
	Label  string
	N      int64
	Took   time.Duration // all of them together, where that is measured
}

// Compare orders counts by what they are of: step, time, series, label. Whoever
// writes many does so in this order, so that no two wait for one another.
func Compare(a, b Count) int {
	return cmp.Or(
		cmp.Compare(a.Step, b.Step), a.At.Compare(b.At), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Label, b.Label))
}

// Book keeps counts. It is safe for concurrent use.
type Book interface {
	// AddCounts adds to the counts that are there, all or none. When it fails because
	// the connection was lost, nobody may know which.
	AddCounts(ctx context.Context, counts []Count) error
	// Counts reads those of step that began at from or later and before to, in the
	// order of time.
	Counts(ctx context.Context, step Step, from, to time.Time) ([]Count, error)
	// DropCounts deletes those of step that began before then.
	DropCounts(ctx context.Context, step Step, before time.Time) error
}
