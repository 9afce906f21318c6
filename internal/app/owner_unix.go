//go:build unix

package app

import (
	"io/fs"
	"os"
	"syscall"
)

// hasModes reports whether files have modes for their group and for others.
const hasModes = true

// isOurs reports whether the user of this process owns the file.
func isOurs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
