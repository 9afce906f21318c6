//go:build !race

package store_test

// sqliteRaceDivisor is 1 without the race detector.
const sqliteRaceDivisor = 1
