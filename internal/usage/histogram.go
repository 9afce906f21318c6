package usage

import "time"

// bounds are the bucket bounds of vendor call durations. From 50 ms on, a bound is at most
// half as much again as the one before, which is how exact a p95 is. Parsing a statement takes
// 5 to 30 s. Those of earlier counts (50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000,
// 60000) must stay.
var bounds = []struct {
	ms    int64
	label string
}{
	{25, "25"}, {50, "50"}, {75, "75"}, {100, "100"}, {150, "150"}, {200, "200"}, {250, "250"}, {350, "350"}, {500, "500"},
	{750, "750"}, {1000, "1000"}, {1500, "1500"}, {2000, "2000"}, {2500, "2500"}, {3500, "3500"}, {5000, "5000"}, {7500, "7500"},
	{10_000, "10000"}, {15_000, "15000"}, {20_000, "20000"}, {30_000, "30000"}, {45_000, "45000"}, {60_000, "60000"},
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

// Between returns how many calls of took, which are by label, took longer than after and at
// most as long as upTo; 0 for no limit. Both should be bounds of buckets.
func Between(took map[string]int64, after, upTo time.Duration) (n int64) {
	previous := time.Duration(0)
	for _, b := range bounds {
		bound := time.Duration(b.ms) * time.Millisecond
		if previous >= after && (upTo == 0 || bound <= upTo) {
			n += took[b.label]
		}
		previous = bound
	}
	if upTo == 0 {
		n += took[beyond]
	}
	return n
}

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
