//go:build !race

package portfolio_test

// raceOverhead is nothing without the race detector.
const raceOverhead = 0
