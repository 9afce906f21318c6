//go:build !linux

package services

// memoryRoot returns "": there is no folder in memory that is always there.
func memoryRoot() string { return "" }
