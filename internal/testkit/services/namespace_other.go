//go:build !linux

package services

import "errors"

// RunInNamespace does nothing: other systems have no user namespaces.
func RunInNamespace() (code int, ran bool) { return 0, false }

// mountMemory fails: other systems have no tmpfs.
func mountMemory(string, string) error {
	return errors.New("only Linux has file systems in memory of a given size")
}

// unmount does nothing.
func unmount(string) {}
