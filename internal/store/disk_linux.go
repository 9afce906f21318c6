package store

import (
	"os"
	"syscall"
)

// freeSpace returns how many bytes the disk of an open file has left for this user; ok is false if
// that is not known.
func freeSpace(file *os.File) (bytes uint64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(file.Fd()), &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(max(fs.Bsize, 0)), true
}
