//go:build !race

package portfolio_test

// raceOverhead is nothing without the race detector.
const raceOverhead = 0

// raceDivisor is 1 without the race detector.
const raceDivisor = 1
