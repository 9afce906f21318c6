package services

import "syscall"

const (
	sharedMemory  = "/dev/shm"
	minFreeMemory = 2 << 30 // what all test binaries together may fill, in bytes
)

// memoryRoot returns a folder in memory, or "" if it has little space, as in a container.
func memoryRoot() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(sharedMemory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < minFreeMemory { //nolint:gosec // positive
		return ""
	}
	return sharedMemory
}
