//go:build !unix

package app

import "io/fs"

// hasModes reports whether files have modes for their group and for others.
const hasModes = false

func isOurs(fs.FileInfo) bool { return false }
