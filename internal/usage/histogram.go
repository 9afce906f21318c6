package usage

import "time"

// bounds are those of the histogram of calls to the vendor, in ms: the same as its
// metrics have. Parsing takes 5 to 30 s.
var bounds = []struct {
	ms    int64
	label string
}{
	{50, "50"}, {100, "100"}, {250, "250"}, {500, "500"}, {1000, "1000"}, {2500, "2500"},
	{5000, "5000"}, {10_000, "10000"}, {30_000, "30000"}, {60_000, "60000"},
}

// beyond is the label of what took longer than the greatest bound.
const beyond = "+Inf"

// BoundOf returns the label of Took for a call that took d: the least bound, in ms,
// that is not below it, or "+Inf".
func BoundOf(d time.Duration) string {
	for _, b := range bounds {
		if d <= time.Duration(b.ms)*time.Millisecond {
			return b.label
		}
	}
	return beyond
}

// histogram is how many calls took how long, by label.
type histogram map[string]int64

// p95 is the least bound that 95 of 100 calls keep, in ms; the greatest one when
// they keep none, and 0 without calls.
func (h histogram) p95() float64 {
	var all, so int64
	for _, n := range h {
		all += n
	}
	if all == 0 {
		return 0
	}
	for _, b := range bounds {
		so += h[b.label]
		if so*100 >= all*95 {
			return float64(b.ms)
		}
	}
	return float64(bounds[len(bounds)-1].ms)
}
