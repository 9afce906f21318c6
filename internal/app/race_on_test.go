//go:build race

package app_test

// The race detector makes SQL and HTTP several times as slow.
func init() { pricedCalls = 300 }
