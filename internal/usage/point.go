package usage

import "time"

// Point is what was done in one stretch of time.
type Point struct {
	At       time.Time        `json:"at"` // when it began
	Minted   int64            `json:"minted"`
	Reused   int64            `json:"reused"`
	Failed   int64            `json:"failed"`
	Refused  map[string]int64 `json:"refused"` // by the code of the error
	Limited  map[string]int64 `json:"limited"` // by limit
	Saved    map[string]int64 `json:"saved"`   // Created and Repeated
	Upstream Upstream         `json:"upstream"`
	Invented bool             `json:"invented,omitempty"` // a demo made it up, wholly or in part
}

// Upstream is how the calls to the vendor went, each try by itself. How long they
// took is told of those that the vendor ended or let pass its time.
type Upstream struct {
	Calls   int64            `json:"calls"`    // those too that the breaker held back
	Errors  int64            `json:"errors"`   // those that did not end well, but for callers who left
	Outcome map[string]int64 `json:"outcomes"` // all, by how they ended
	MeanMS  float64          `json:"mean_ms"`
	P95MS   float64          `json:"p95_ms"` // at most; rounded up to a bound of the histogram, 60,000 for more
}

// The outcomes of calls that mean something here; all others are errors.
const (
	outcomeOK       = "ok"
	outcomeCanceled = "canceled"     // the caller left
	outcomeSpared   = "breaker_open" // the vendor was not called at all
)

// timed reports whether it is told how long a call took that ended so.
func timed(outcome string) bool { return outcome != outcomeCanceled && outcome != outcomeSpared }

// tally adds up the counts of a Point.
type tally struct {
	sum   Point
	took  histogram
	timed sum
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
	case Invented:
		t.sum.Invented = t.sum.Invented || c.N > 0
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

// point returns the sum of what was added.
func (t *tally) point() Point {
	p := t.sum
	if t.timed.n > 0 {
		p.Upstream.MeanMS = float64(t.timed.took.Microseconds()) / 1000 / float64(t.timed.n)
	}
	p.Upstream.P95MS = t.took.p95()
	return p
}
