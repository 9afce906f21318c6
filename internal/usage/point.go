package usage

import "time"

// Point has the counts of one interval.
type Point struct {
	At       time.Time        `json:"at"` // the start of the interval
	Minted   int64            `json:"minted"`
	Reused   int64            `json:"reused"`
	Failed   int64            `json:"failed"`
	Refused  map[string]int64 `json:"refused"` // by error code
	Limited  map[string]int64 `json:"limited"` // by limit
	Saved    map[string]int64 `json:"saved"`   // Created and Repeated
	Upstream Upstream         `json:"upstream"`
	// Synthetic is true if a part of the counts is made up for the demo.
	Synthetic bool `json:"invented,omitempty"`
}

// Upstream has the counts of calls to the vendor; every attempt counts. MeanMS and P95MS
// cover the calls that the vendor answered and those that timed out.
type Upstream struct {
	Calls   int64            `json:"calls"`    // including those that the circuit breaker blocked
	Errors  int64            `json:"errors"`   // failed calls, without those that the caller canceled
	Outcome map[string]int64 `json:"outcomes"` // all calls, by outcome
	MeanMS  float64          `json:"mean_ms"`
	Took    map[string]int64 `json:"took"`   // the same calls by duration; a label is the upper bound in ms, or "+Inf"
	P95MS   float64          `json:"p95_ms"` // rounded up to a bucket bound; 60,000 for longer ones
}

// The outcomes that this package treats specially; all others are errors.
const (
	outcomeOK       = "ok"
	outcomeCanceled = "canceled"     // by the caller
	outcomeBlocked  = "breaker_open" // the circuit breaker blocked the call
)

// timed reports whether the duration of a call with that outcome is recorded.
func timed(outcome string) bool { return outcome != outcomeCanceled && outcome != outcomeBlocked }

// tally adds up the counts of a Point.
type tally struct {
	sum   Point
	took  histogram
	timed total
}

func newTally(at time.Time) *tally {
	return &tally{took: histogram{}, sum: Point{
		At: at, Refused: map[string]int64{}, Limited: map[string]int64{}, Saved: map[string]int64{},
		Upstream: Upstream{Outcome: map[string]int64{}},
	}}
}

func (t *tally) add(c Count) {
	switch c.Series {
	case Minted:
		t.sum.Minted += c.N
	case Reused:
		t.sum.Reused += c.N
	case Failed:
		t.sum.Failed += c.N
	case Refused:
		t.sum.Refused[c.Label] += c.N
	case Limited:
		t.sum.Limited[c.Label] += c.N
	case Saved:
		t.sum.Saved[c.Label] += c.N
	case Called:
		t.called(c)
	case Took:
		t.took[c.Label] += c.N
	case Synthetic:
		t.sum.Synthetic = t.sum.Synthetic || c.N > 0
	}
}

func (t *tally) called(c Count) {
	up := &t.sum.Upstream
	up.Calls += c.N
	up.Outcome[c.Label] += c.N
	if c.Label != outcomeOK && c.Label != outcomeCanceled {
		up.Errors += c.N
	}
	if timed(c.Label) {
		t.timed.n += c.N
		t.timed.took += c.Took
	}
}

// point returns the sum of the counts that were added.
func (t *tally) point() Point {
	p := t.sum
	if t.timed.n > 0 {
		p.Upstream.MeanMS = float64(t.timed.took.Microseconds()) / 1000 / float64(t.timed.n)
	}
	p.Upstream.Took, p.Upstream.P95MS = t.took, t.took.p95()
	return p
}
