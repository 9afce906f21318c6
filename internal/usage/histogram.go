package usage

import "time"

// bounds are the bucket bounds of vendor call durations, the same as in the metrics.
// Parsing a statement takes 5 to 30 s.
var bounds = []struct {
	ms    int64
	label string
}{
	{50, "50"}, {100, "100"}, {250, "250"}, {500, "500"}, {1000, "1000"}, {2500, "2500"},
	{5000, "5000"}, {10_000, "10000"}, {30_000, "30000"}, {60_000, "60000"},
}

// beyond is the label of calls that took longer than the largest bound.
const beyond = "+Inf"

// BoundOf returns the label of Took for a call that took d: the smallest bound in ms that
// is at least d, or "+Inf".
func BoundOf(d time.Duration) string {
	for _, b := range bounds {
		if d <= time.Duration(b.ms)*time.Millisecond {
			return b.label
		}
	}
	return beyond
}

// histogram is the number of calls by the label of their duration.
type histogram map[string]int64

// p95 is the smallest bound in ms that 95% of the calls do not exceed; the largest bound if
// there is none, and 0 without calls.
func (h histogram) p95() float64 {
	var all, below int64
	for _, n := range h {
		all += n
	}
	if all == 0 {
		return 0
	}
	for _, b := range bounds {
		below += h[b.label]
		if below*100 >= all*95 {
			return float64(b.ms)
		}
	}
	return float64(bounds[len(bounds)-1].ms)
}
